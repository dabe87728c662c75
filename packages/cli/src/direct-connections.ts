import { setTimeout as wait } from 'node:timers/promises';
import { connect, type RedisData } from '@sandman/assembly';
import { InvalidInput, PolicySet } from '@sandman/core';
import { Ledger, reasonOf } from '@sandman/ledger';
import { Arming } from '@sandman/lifecycle';
import { createLogger, EnvError, readEnv } from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { RedisShardState } from '@sandman/store';
import { CommandFailure, EXIT } from './exit.ts';

/** How long to wait until Redis answers, in ms; after that it counts as unreachable. */
const REDIS_MS = 5_000;

/** Direct connections to Redis, the ledger's database and the session-manager, without an API in between. */
export interface DirectConnections extends RedisData, AsyncDisposable {
  readonly ledger: Ledger;
  readonly shardState: RedisShardState;
  readonly arming: Arming;
  readonly pods: SessionManagerClient;
  readonly policies: PolicySet;
  /** How long a doubt lasts: `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND`, in ms. */
  readonly doubt: number;
}

const NAMES = [
  'REDIS_URL',
  'KEY_PREFIX',
  'SHARDS',
  'DATABASE_URL',
  'SESSION_MANAGER_URL',
  'SESSION_MANAGER_API_KEY',
  'SESSION_MANAGER_TIMEOUT',
  'LATE_EFFECT_BOUND',
  'POLICIES',
  'DEFAULT_POLICY',
] as const;

/** Runs `read`, and turns an error about the environment into one of usage. @throws CommandFailure on a wrong environment */
export function orUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EnvError || error instanceof InvalidInput) throw new CommandFailure(EXIT.usage, error.message);
    throw error;
  }
}

function settings(env: NodeJS.ProcessEnv) {
  return orUsage(() => {
    const read = readEnv(env, NAMES);
    if (!read.DATABASE_URL) throw new EnvError('DATABASE_URL is missing: it must be postgres://… or mysql://…, the ledger');
    return { ...read, policies: new PolicySet(read.POLICIES, read.DEFAULT_POLICY), ledger: new Ledger(read.DATABASE_URL) };
  });
}

/**
 * Connects to all three, and checks that the database answers. {@link reachRedis} checks Redis.
 *
 * @throws CommandFailure on a wrong environment, or if the database cannot be reached
 */
export async function connectAll(env: NodeJS.ProcessEnv): Promise<DirectConnections> {
  const { policies, ledger, ...read } = settings(env);
  // Commands of a `worker` connection wait while Redis is unreachable for a moment, and do not fail.
  const connection = connect(read, { role: 'worker', slack: 0, logger: createLogger('silent', 'cli') });
  const pods = new SessionManagerClient({
    url: read.SESSION_MANAGER_URL,
    apiKey: read.SESSION_MANAGER_API_KEY,
    timeout: read.SESSION_MANAGER_TIMEOUT,
  });
  const connections: DirectConnections = {
    ...connection,
    ledger,
    shardState: new RedisShardState(connection.redis, connection.keyspace),
    arming: new Arming(connection.store, connection.alarms),
    pods,
    policies,
    doubt: read.SESSION_MANAGER_TIMEOUT + read.LATE_EFFECT_BOUND,
    async [Symbol.asyncDispose]() {
      await Promise.all([pods.close(), ledger.close()]);
      await connection.close();
    },
  };
  try {
    await reachDatabase(ledger);
    return connections;
  } catch (error) {
    await connections[Symbol.asyncDispose]();
    throw error;
  }
}

/** Describes in one line an error in the middle of the work, when the environment is known to be right. */
export function failureMidway(error: unknown): CommandFailure {
  return error instanceof CommandFailure ? error : new CommandFailure(EXIT.failed, `it broke off: ${reasonOf(error)}`, { cause: error });
}

/** Checks that the database answers, and brings its tables up to date. @throws CommandFailure if that fails */
export async function reachDatabase(ledger: Ledger): Promise<void> {
  try {
    await ledger.check();
    await ledger.migrate();
  } catch (error) {
    if (error instanceof InvalidInput) throw new CommandFailure(EXIT.usage, error.message);
    throw new CommandFailure(EXIT.unreachable, `the ledger's database cannot be reached (${reasonOf(error)}): is DATABASE_URL right?`);
  }
}

/** Waits for Redis. @throws CommandFailure if it does not answer within 5 s, or SHARDS differs from that of its data */
export async function reachRedis({ answers, agreeOnShards }: Pick<RedisData, 'answers' | 'agreeOnShards'>): Promise<void> {
  for (const deadline = performance.now() + REDIS_MS; performance.now() < deadline; await wait(100)) {
    if (!(await answers())) continue;
    return await agreeOnShards().catch((error) => {
      throw error instanceof InvalidInput ? new CommandFailure(EXIT.usage, error.message) : error;
    });
  }
  throw new CommandFailure(EXIT.unreachable, 'Redis cannot be reached: is it up, and is REDIS_URL right?');
}
