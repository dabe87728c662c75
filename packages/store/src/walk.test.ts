import { LIVE_STATUSES, type SessionRecord, shardOf } from '@sandman/core';
import { beforeEach, expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import type { RedisSessionStore } from './redis-session-store.ts';
import { create, put, useRedis } from './store.fixture.ts';

const on = useRedis();
let store: RedisSessionStore;

beforeEach(() => {
  store = on.store(1);
});

async function createAll(uuids: string): Promise<Map<string, SessionRecord>> {
  const readings = await Promise.all([...uuids].map((uuid) => create(store, uuid)));
  return new Map(readings.map(({ record }) => [record.uuid, record]));
}

async function walk(limit: number, by = store, shard = 0): Promise<string> {
  return (await by.walk(shard, limit)).map(({ record }) => record.uuid).join('');
}

it('a walk meets each session once a round, at most so many at a time, and begins anew', async () => {
  await createAll('gcafbed');
  const visits = [];
  for (let i = 0; i < 6; i++) visits.push(await walk(3));
  expect(visits).toEqual(['abc', 'def', 'g', 'abc', 'def', 'g']);
  expect(await walk(1_000)).toBe('abcdefg');
});

it('a round whose last page is full ends with an empty one', async () => {
  expect(await walk(2)).toBe('');
  await createAll('abcd');
  const visits = [];
  for (let i = 0; i < 4; i++) visits.push(await walk(2));
  expect(visits).toEqual(['ab', 'cd', '', 'ab']);
});

it('the next caller continues where the last one stopped', async () => {
  await createAll('abcde');
  expect([await walk(2), await walk(2, on.store(1)), await walk(2)]).toEqual(['ab', 'cd', 'e']);
});

it('it goes on behind a session that was deleted meanwhile, and meets those that came and those that changed', async () => {
  const records = await createAll('abcdef');
  expect(await walk(2)).toBe('ab');
  for (const uuid of 'bc') await put(store, records.get(uuid)!, { wanted: 'gone', pod: 'gone', deletedAt: 1 });
  await put(store, records.get('d')!, { wanted: 'asleep', pod: 'asleep' });
  await create(store, 'dd');
  expect(await walk(2)).toBe('ddd');
  // Makes the tombstones older than a day.
  await on.redis.zadd(new Keyspace(on.prefix, 1).shards[0]!.tombstones, 1, 'b', 1, 'c');
  expect(await store.removeTombstones()).toBe(2);
  expect([await walk(2), await walk(2), await walk(9)]).toEqual(['ef', '', 'adddef']);
});

it('it meets sessions of every status but deleted, each as it is', async () => {
  const records = await createAll('abcdex');
  const patches = {
    b: { wanted: 'asleep' },
    c: { wanted: 'asleep', pod: 'asleep' },
    d: { pod: 'unknown' },
    e: { wanted: 'gone' },
    x: { wanted: 'gone', pod: 'gone' },
  } as const;
  for (const [uuid, patch] of Object.entries(patches)) await put(store, records.get(uuid)!, patch);
  expect(Object.values(await store.count())).toEqual(LIVE_STATUSES.map(() => 1));
  const met = await store.walk(0, 10);
  expect(met.map(({ record }) => record)).toEqual(await Promise.all([...'abcde'].map(async (uuid) => (await store.read(uuid)).record)));
});

it('a session that goes between page and read is not met', async () => {
  await createAll('abc');
  await on.redis.del(new Keyspace(on.prefix, 1).of('b').session('b'));
  expect(await walk(3)).toBe('ac');
});

it('each shard has a walk of its own', async () => {
  store = on.store(2);
  const uuids = 'abcdefgh';
  await createAll(uuids);
  const of = (shard: number) => [...uuids].filter((uuid) => shardOf(uuid, 2) === shard).join('');
  expect([await walk(1, store, 0), await walk(9, store, 1), await walk(9, store, 0)]).toEqual([of(0).slice(0, 1), of(1), of(0).slice(1)]);
});
