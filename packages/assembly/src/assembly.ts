import type { PolicySet } from '@sandman/core';
import { countNewlyDue, type NextPolicies, ShadowPolicies, SharedPolicies } from '@sandman/lifecycle';
import {
  type Admission,
  ClockWatch,
  createMetrics,
  type Env,
  type Fleet,
  type Logger,
  type Metrics,
  startTracing,
  system,
  type Tracing,
} from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { RedisPolicies, RedisShadowPolicies } from '@sandman/store';
import { admit, type ConnectionEnv, connect, type RedisData } from './connection.ts';

/** A change of `POLICIES` is logged as a warning if it makes more than this share of all sleeping sessions due within a day. */
const MANY_DUE = 0.1;

type AssemblyEnv = ConnectionEnv &
  Env<'ALARM_SLACK' | 'POLICIES_VERSION' | 'SESSION_MANAGER_URL' | 'SESSION_MANAGER_API_KEY' | 'SESSION_MANAGER_TIMEOUT'>;

export interface AssemblyOptions {
  /** The policies of this process's environment. */
  readonly own: PolicySet;
  /** Whether to announce these policies to other processes. */
  readonly announces: boolean;
  /** `SHADOW_POLICIES`; only workers announce them. */
  readonly shadows: readonly string[];
  /** `CHAT_TIMEOUT`, ms, of a process that passes on chats. */
  readonly chatTimeout?: number;
  readonly logger: Logger;
  /** Ends the process. */
  readonly fail: (error: unknown) => void;
}

/** What an API and a worker have in common. */
export interface Assembly extends RedisData {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  /** Tells whether this process may use the data in Redis: its `SHARDS` fits that data. */
  readonly admission: Admission;
  readonly policies: SharedPolicies;
  readonly shadows: RedisShadowPolicies;
  readonly sessionManager: SessionManagerClient;
  readonly clock: ClockWatch;
  readonly fleet: Fleet;
  /** Tells whether this process is admitted and Redis answers. */
  readonly ready: () => Promise<boolean>;
  /** Closes everything, each part before what it uses. Call it when the process takes no more work and has finished the last. */
  readonly close: () => Promise<void>;
}

/** Connects an API or a worker, also while Redis is away, and starts its rounds: policies, shadow sums, clock, admission. */
export async function assemble(process: 'api' | 'worker', env: AssemblyEnv, options: AssemblyOptions): Promise<Assembly> {
  const { own, announces, shadows: announcedShadows, chatTimeout = env.SESSION_MANAGER_TIMEOUT, logger, fail } = options;
  const tracing = await startTracing(process, logger);
  const metrics = createMetrics(process);
  const connection = connect(env, {
    role: process === 'api' ? 'request' : 'worker',
    slack: env.ALARM_SLACK,
    // `shadowCounts` is made below, before anything is written.
    written: (before, after, now) => shadowCounts.written(before, after, now),
    logger,
    telemetry: tracing.jobs,
  });
  const { redis, keyspace, store, shardState, alarms, journal } = connection;
  const sessionManager = new SessionManagerClient({
    url: env.SESSION_MANAGER_URL,
    apiKey: env.SESSION_MANAGER_API_KEY,
    timeout: env.SESSION_MANAGER_TIMEOUT,
    chatTimeout,
    onResult: (call, status) => metrics.sessionManagerRequests.inc({ call, status }),
  });
  const admission = await admit(connection, logger, fail);
  const policiesInRedis = new RedisPolicies(redis, keyspace.prefix);
  const warnOfNewlyDue = async (next: NextPolicies) => {
    const { due, sleeping } = await countNewlyDue(store, next);
    if (due > sleeping * MANY_DUE)
      logger.warn({ version: next.version, due, sleeping }, 'a change of POLICIES makes many sleeping sessions due within a day');
  };
  const policies = new SharedPolicies({
    own,
    announces,
    version: env.POLICIES_VERSION,
    shadows: announcedShadows,
    agreement: {
      async agree(...told) {
        // Before that, a process must not announce policies to the others.
        admission.assertGiven();
        return policiesInRedis.agree(...told);
      },
    },
    system,
    ...(process === 'worker' ? { beforeUse: warnOfNewlyDue } : {}),
    changed: (version) => logger.info({ version }, 'other policies are in use from now on'),
    overruled: (version) =>
      logger.error(
        { version, own: env.POLICIES_VERSION },
        'POLICIES is not used: others are in force. Give it a POLICIES_VERSION above theirs',
      ),
    failed: (err) => logger.warn({ err }, 'the policies in use could not be agreed on'),
  });
  const shadows = new RedisShadowPolicies(redis, keyspace.prefix);
  const shadowCounts = new ShadowPolicies({
    policies: () => policies.shadows,
    totals: shadows,
    system,
    failed: (err) => logger.warn({ err }, 'sums of shadow policies are lost'),
  });
  // In a worker `Date.now` shows Redis' clock, because BullMQ compares it with the times of alarms.
  const clock = new ClockWatch({ read: () => shardState.clock(), follow: process === 'worker', metrics, logger });
  return {
    ...connection,
    logger,
    metrics,
    tracing,
    admission,
    policies,
    shadows,
    sessionManager,
    clock,
    fleet: {
      sessions: () => store.count(),
      backlog: () => alarms.backlog(),
      usage: () => journal.usage(),
      shadows: () => shadows.read(),
      policies: () => policies.named,
    },
    ready: async () => admission.isGiven && (await connection.answers()),
    async close() {
      await Promise.all([policies.close(), shadowCounts.close()]);
      clock.close();
      admission.close();
      await sessionManager.close();
      await connection.close();
      await tracing.close();
    },
  };
}
