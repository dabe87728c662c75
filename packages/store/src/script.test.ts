import { shardOf } from '@sandman/core';
import { startRedis } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { RedisSessionStore } from './redis-session-store.ts';
import { create, put, useRedis } from './store.fixture.ts';

// Its own, because it counts what this Redis runs.
const on = useRedis(() => startRedis());

/** Counts the scripts that Redis ran during `run`. */
async function scriptsOf(run: () => Promise<unknown>): Promise<number> {
  const calls = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await on.redis.info('commandstats'))?.[1] ?? 0);
  const before = await calls();
  await run();
  return (await calls()) - before;
}

it('calls of one turn travel together, so many at most, and each is answered its own', async () => {
  const store = on.store(1);
  const uuids = Array.from({ length: 120 }, (_, i) => `s${i}`);
  for (const uuid of uuids) await create(store, uuid, `user of ${uuid}`);
  const { record } = await store.read('s7');
  await put(store, record!, { wanted: 'asleep', pod: 'asleep' });
  let results: Awaited<ReturnType<typeof store.touch>>[] = [];
  const scripts = await scriptsOf(async () => {
    results = await Promise.all([...uuids, 'nobody', 's3'].map((uuid) => store.touch(uuid, 'user', null)));
  });
  expect(scripts).toBe(3);
  expect(results.slice(0, 120).map(({ record }) => record?.userId)).toEqual(uuids.map((uuid) => `user of ${uuid}`));
  expect(results.map(({ kind }, i) => (kind === 'dormant' ? i : -1)).filter((i) => i >= 0)).toEqual([7, 120]);
  expect(results[120]!.record).toBeNull();
  // The same session twice in one batch: its calls run one after the other.
  expect(results[121]!.record!.rev).toBe(results[3]!.record!.rev + 1);
});

it('what is wrong with one session is no other’s fault', async () => {
  const store = on.store(1);
  await create(store, 'a');
  await create(store, 'c');
  await on.redis.set(new Keyspace(on.prefix, 1).of('b').session('b'), 'not a hash');
  const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map((uuid) => store.touch(uuid, 'user', null)));
  expect([a, c]).toMatchObject([{ value: { kind: 'touched' } }, { value: { kind: 'touched' } }]);
  expect(b).toMatchObject({ status: 'rejected', reason: expect.objectContaining({ message: expect.stringContaining('WRONGTYPE') }) });
});

it('sessions of several shards, in one call for each', async () => {
  const store = on.store(3);
  const uuids = Array.from({ length: 12 }, (_, i) => `s${i}`);
  for (const uuid of uuids) await create(store, uuid);
  expect(await scriptsOf(() => Promise.all(uuids.map((uuid) => store.touch(uuid, 'background', null))))).toBe(
    new Set(uuids.map((uuid) => shardOf(uuid, 3))).size,
  );
});

it('a Redis that has lost its scripts gets them again, with every call that waits', async () => {
  const store = on.store(1);
  const uuids = ['a', 'b', 'c'];
  for (const uuid of uuids) await create(store, uuid);
  await on.redis.script('FLUSH');
  const read = await Promise.all(uuids.map((uuid) => store.read(uuid)));
  expect(read.map(({ record }) => record?.uuid)).toEqual(uuids);
});

it('an error that Redis answers to all calls reaches every caller, and the connection', async () => {
  const server = await startRedis();
  const errors: string[] = [];
  const redis = new Redis(server.url, {
    reconnectOnError({ message }) {
      errors.push(message);
      return false;
    },
  });
  try {
    const store = new RedisSessionStore(redis, { prefix: 'x', shards: 1, slack: 1 });
    for (const uuid of ['a', 'b']) await create(store, uuid);
    // Makes the server a replica of an address where no server is.
    await redis.call('REPLICAOF', '127.0.0.1', '1');
    const refused = await Promise.allSettled(['a', 'b'].map((uuid) => store.touch(uuid, 'user', null)));
    expect(refused).toEqual(['a', 'b'].map(() => ({ status: 'rejected', reason: expect.objectContaining({ name: 'ReplyError' }) })));
    expect(errors.filter((message) => !message.startsWith('NOSCRIPT'))).toEqual([expect.stringMatching(/^READONLY /)]);
    expect((await store.read('a')).record?.rev).toBe(1);
  } finally {
    redis.disconnect();
    await server.stop();
  }
});
