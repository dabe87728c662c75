import { randomUUID } from 'node:crypto';
import { type LiveReading, newSession, PolicySet, type SessionRecord } from '@sandman/core';
import { type FoundRedis, redisForTests } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { RedisSessionStore } from './redis-session-store.ts';

export const policy = new PolicySet().default;

/** Starts a Redis for the test file, and sets a new key prefix for each test. */
export function useRedis(find: () => Promise<Pick<FoundRedis, 'url' | 'stop'>> = redisForTests) {
  const on = { url: '', prefix: '', redis: null as unknown as Redis };
  let found: Pick<FoundRedis, 'url' | 'stop'>;
  beforeAll(async () => {
    found = await find();
    on.url = found.url;
    on.redis = new Redis(found.url);
  });
  beforeEach(() => {
    on.prefix = `store-${randomUUID()}`;
  });
  afterAll(async () => {
    on.redis?.disconnect();
    await found?.stop();
  });
  return {
    get redis() {
      return on.redis;
    },
    get prefix() {
      return on.prefix;
    },
    /** Opens another connection. */
    connect: () => new Redis(on.url),
    /** Makes a store as another process would have it, on the test's sessions. */
    store: (shards: number) => new RedisSessionStore(on.redis, { prefix: on.prefix, shards, slack: 1 }),
  };
}

/** Creates a session. @throws Error where the uuid is taken */
export async function create(
  store: RedisSessionStore,
  uuid: string,
  userId = 'ada',
  former: SessionRecord | null = null,
): Promise<LiveReading> {
  const { now } = await store.read(uuid);
  const patch = newSession({ userId, workspaceUrl: 'https://x.example', policy, cause: 'created' }, former, now);
  const result = await store.commit(uuid, former, { patch, alarms: true });
  if (result.kind !== 'committed') throw new Error('not created');
  return result;
}

/** Writes `patch` to a record. @throws Error where the record has changed since it was read */
export async function put(
  store: RedisSessionStore,
  record: SessionRecord,
  patch: Partial<SessionRecord>,
  alarms = false,
): Promise<LiveReading> {
  const result = await store.commit(record.uuid, record, { patch, alarms });
  if (result.kind !== 'committed') throw new Error('conflict');
  return result;
}

/** Returns the uuids of all sessions that the store finds for these users, sorted. */
export async function uuidsOf(store: RedisSessionStore, userIds: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (let shard = 0; shard < store.shards; shard++) {
    for await (const page of store.ofUsers(shard, userIds)) found.push(...page.map(({ uuid }) => uuid));
  }
  return found.sort();
}
