import { beforeEach, expect, it } from 'vitest';
import type { RedisSessionStore } from './redis-session-store.ts';
import { create, put, useRedis } from './store.fixture.ts';

const LEAST = 15_000;

const on = useRedis();
let store: RedisSessionStore;

beforeEach(() => {
  store = on.store(1);
});

/** Takes turns until none is left; returns their sessions, and how long the patrol has to wait then, in ms. */
async function turns(by = store, shard = 0): Promise<{ readonly uuids: string; readonly wait: number }> {
  for (let uuids = ''; ; ) {
    const turn = await by.patrol(shard, LEAST);
    if (turn.kind === 'wait') return { uuids, wait: turn.ms };
    uuids += turn.uuid;
  }
}

/** Makes the last turn of each session older by so many ms. */
async function later(ms: number): Promise<void> {
  const key = `{${on.prefix}:0}:patrolled`;
  for (const uuid of await on.redis.zrange(key, '0', '-1')) await on.redis.zincrby(key, -ms, uuid);
}

it('each session has a turn of any worker, and no second one within 15 s', async () => {
  for (const uuid of 'cab') await create(store, uuid);
  expect(await store.patrol(0, LEAST)).toEqual({ kind: 'next', uuid: 'a' });
  const { uuids, wait } = await turns(on.store(1));
  expect(uuids).toBe('bc');
  expect(wait).toBeGreaterThan(LEAST - 5_000);
  expect(wait).toBeLessThanOrEqual(LEAST);
  await later(10_000);
  expect((await turns()).uuids).toBe('');
  await later(5_000);
  expect((await turns()).uuids).toBe('abc');
});

it('a session that changes its status has no second turn, and those behind it keep theirs', async () => {
  const { record } = await create(store, 'a');
  await create(store, 'b');
  expect(await store.patrol(0, LEAST)).toEqual({ kind: 'next', uuid: 'a' });
  await put(store, record, { wanted: 'asleep', pod: 'asleep' });
  await create(store, 'c');
  expect((await turns()).uuids).toBe('bc');
});

it('sessions that are deleted, or are being deleted, have none', async () => {
  await put(store, (await create(store, 'a')).record, { wanted: 'gone' });
  await put(store, (await create(store, 'b')).record, { wanted: 'gone', pod: 'gone', deletedAt: 1 });
  await put(store, (await create(store, 'c')).record, { wanted: 'asleep', pod: 'awake' });
  await put(store, (await create(store, 'd')).record, { wanted: 'awake', pod: 'unknown' });
  expect((await turns()).uuids).toBe('cd');
});

it('a clock that was set back keeps no session from a turn', async () => {
  await create(store, 'a');
  expect((await turns()).uuids).toBe('a');
  await later(-3_600_000);
  expect((await turns()).uuids).toBe('a');
});

it('an empty shard is read again after 15 s', async () => {
  expect(await turns()).toEqual({ uuids: '', wait: LEAST });
});

it('a sample is of live sessions of any shard, no more than asked for', async () => {
  const sharded = on.store(8);
  expect(await sharded.sample(3)).toEqual([]);
  for (const uuid of 'abcdef') await create(sharded, uuid);
  await put(sharded, (await create(sharded, 'g')).record, { wanted: 'gone', pod: 'gone', deletedAt: 1 });
  const seen = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const sample = await sharded.sample(2);
    expect(sample).toHaveLength(2);
    for (const { record } of sample) seen.add(record.uuid);
  }
  expect([...seen].toSorted().join('')).toBe('abcdef');
  expect(await sharded.sample(20)).toHaveLength(6);
});
