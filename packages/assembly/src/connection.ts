import { AlarmQueues } from '@sandman/queue';
import { Admission, answers, connectRedis, type Env, type Logger, type RedisRole, type Tracing } from '@sandman/runtime';
import { agreeOnShards, RedisJournal, RedisSessionStore, RedisShardState, type StoreOptions } from '@sandman/store';

export type ConnectionEnv = Env<'REDIS_URL' | 'KEY_PREFIX' | 'SHARDS'>;

export interface ConnectionOptions extends Omit<StoreOptions, 'prefix' | 'shards'> {
  readonly role: RedisRole;
  /** Gets the connection errors. */
  readonly logger: Logger;
  readonly telemetry?: Tracing['jobs'];
}

/** A connection to Redis, and what reads and writes the data of one deployment there. */
export interface RedisData {
  readonly redis: ReturnType<typeof connectRedis>;
  /** `KEY_PREFIX` and `SHARDS`. */
  readonly keyspace: { readonly prefix: string; readonly shards: number };
  readonly store: RedisSessionStore;
  readonly shardState: RedisShardState;
  readonly alarms: AlarmQueues;
  readonly journal: RedisJournal;
  /** Tells whether Redis answers. */
  readonly answers: () => Promise<boolean>;
  /** @throws InvalidInput if SHARDS differs from the one that the data in Redis was written with */
  readonly agreeOnShards: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Connects to Redis. It does not wait until Redis answers. */
export function connect(env: ConnectionEnv, { role, logger, telemetry, ...storeOptions }: ConnectionOptions): RedisData {
  const keyspace = { prefix: env.KEY_PREFIX, shards: env.SHARDS };
  const redis = connectRedis(env.REDIS_URL, role, (err) => logger.warn({ err }, 'Redis connection'));
  const alarms = new AlarmQueues(redis, keyspace.prefix, keyspace.shards, (err) => logger.warn({ err }, 'queue'), telemetry);
  return {
    redis,
    keyspace,
    store: new RedisSessionStore(redis, { ...keyspace, ...storeOptions }),
    shardState: new RedisShardState(redis, keyspace),
    alarms,
    journal: new RedisJournal(redis, keyspace),
    answers: () => answers(redis),
    agreeOnShards: () => agreeOnShards(redis, keyspace.prefix, keyspace.shards),
    async close() {
      await alarms.close();
      redis.disconnect();
    },
  };
}

/**
 * Lets a process use the data in Redis once its `SHARDS` fits that data. Waits for the check for 1 s at most, so that a process
 * also starts while Redis is away.
 *
 * @param fail ends the process; called if `SHARDS` does not fit
 */
export async function admit(connection: RedisData, logger: Logger, fail: (error: unknown) => void): Promise<Admission> {
  const admission = new Admission({
    check: connection.agreeOnShards,
    fail,
    unknown: (err) => logger.warn({ err }, 'SHARDS could not be compared with the data in Redis yet: this process waits'),
  });
  await admission.soon();
  return admission;
}
