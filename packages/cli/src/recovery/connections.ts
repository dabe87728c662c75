import { setTimeout as wait } from 'node:timers/promises';
import { InvalidInput, PolicyBook } from '@sandman/core';
import { Ledger, reasonOf } from '@sandman/ledger';
import { Arming } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { answers, connectRedis, EnvError, readEnv } from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { agreeOnShards, RedisSessionStore, RedisSlate } from '@sandman/store';
import { CommandFailure, EXIT } from '../exit.ts';

/** How long Redis may take until it counts as away, in ms. */
const REDIS_MS = 5_000;

/** What works on Redis and the database themselves, and not through an API. */
export interface Connections extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly store: RedisSessionStore;
  readonly slate: RedisSlate;
  readonly alarms: AlarmQueues;
  readonly arming: Arming;
  readonly pods: SessionManagerClient;
  readonly policies: PolicyBook;
  /** `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND`, ms. */
  readonly doubt: number;
  /** Whether Redis answers. */
  readonly redisAnswers: () => Promise<boolean>;
  /** @throws InvalidInput where SHARDS is not what the data in Redis was written with */
  readonly agreeOnShards: () => Promise<void>;
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

/** @throws CommandFailure where the environment is what is wrong */
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
    return { ...read, policies: new PolicyBook(read.POLICIES, read.DEFAULT_POLICY), ledger: new Ledger(read.DATABASE_URL) };
  });
}

/**
 * Connects to all three, and sees that Redis and the database are there.
 *
 * @throws CommandFailure on a wrong environment, and where one of them cannot be reached
 */
export async function connectAll(env: NodeJS.ProcessEnv): Promise<Connections> {
  const { policies, ledger, ...read } = settings(env);
  const place = { prefix: read.KEY_PREFIX, shards: read.SHARDS };
  // What is under way waits for a Redis that is away for a moment.
  const redis = connectRedis(read.REDIS_URL, 'worker', () => {});
  const alarms = new AlarmQueues(redis, place.prefix, place.shards, () => {});
  const store = new RedisSessionStore(redis, { ...place, slack: 0 });
  const pods = new SessionManagerClient({
    url: read.SESSION_MANAGER_URL,
    apiKey: read.SESSION_MANAGER_API_KEY,
    timeout: read.SESSION_MANAGER_TIMEOUT,
  });
  const connections: Connections = {
    ledger,
    store,
    slate: new RedisSlate(redis, place),
    alarms,
    arming: new Arming(store, alarms),
    pods,
    policies,
    doubt: read.SESSION_MANAGER_TIMEOUT + read.LATE_EFFECT_BOUND,
    redisAnswers: () => answers(redis),
    agreeOnShards: () => agreeOnShards(redis, place.prefix, place.shards),
    async [Symbol.asyncDispose]() {
      await Promise.all([pods.close(), ledger.close()]);
      redis.disconnect();
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

/** What failed in the middle of it, in one line: by then all was well with the environment. */
export function broken(error: unknown): CommandFailure {
  return error instanceof CommandFailure ? error : new CommandFailure(EXIT.failed, `it broke off: ${reasonOf(error)}`, { cause: error });
}

/** @throws CommandFailure where it cannot be reached, or its address is wrong */
export async function reachDatabase(ledger: Ledger): Promise<void> {
  try {
    await ledger.check();
    await ledger.migrate();
  } catch (error) {
    if (error instanceof InvalidInput) throw new CommandFailure(EXIT.usage, error.message);
    throw new CommandFailure(EXIT.unreachable, `the ledger's database cannot be reached (${reasonOf(error)}): is DATABASE_URL right?`);
  }
}

/** @throws CommandFailure where Redis is away, or SHARDS is not what its data was written with */
export async function reachRedis({
  redisAnswers,
  agreeOnShards: agree,
}: Pick<Connections, 'redisAnswers' | 'agreeOnShards'>): Promise<void> {
  for (const deadline = performance.now() + REDIS_MS; performance.now() < deadline; await wait(100)) {
    if (!(await redisAnswers())) continue;
    return await agree().catch((error) => {
      throw error instanceof InvalidInput ? new CommandFailure(EXIT.usage, error.message) : error;
    });
  }
  throw new CommandFailure(EXIT.unreachable, 'Redis cannot be reached: is it up, and is REDIS_URL right?');
}
