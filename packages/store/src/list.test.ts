import { Readable } from 'node:stream';
import { HEALTHY, type OwnedSession } from '@sandman/core';
import { expect, it } from 'vitest';
import { create, put, useRedis, uuidsOf } from './store.fixture.ts';

const on = useRedis();

it('knows whose calls fail, the longest-suffering first, until they go well or nothing is wanted any more', async () => {
  const store = on.store(3);
  const fail = async (uuid: string, failingSince: number) => {
    const { record } = await create(store, uuid);
    return (await put(store, record, { failures: 1, failingSince, lastError: 'sleep: HTTP 500' })).record;
  };
  const [late, early, mended] = [await fail('late', 3_000), await fail('early', 1_000), await fail('mended', 2_000)];
  const names = async (limit = 10) => {
    const { count, first } = await store.failing(limit);
    return [count, first.map(({ record }) => record.uuid)];
  };
  expect(await names()).toEqual([3, ['early', 'mended', 'late']]);
  expect(await names(1)).toEqual([3, ['early']]);
  // A touch and another failure do not change its place in the list.
  await store.touch('early', 'user', null);
  await put(store, late, { failures: 2, failingSince: 3_000 });
  await put(store, mended, { ...HEALTHY });
  expect(await names()).toEqual([2, ['early', 'late']]);
  const { record } = await store.read('early');
  await put(store, record!, { wanted: 'gone', pod: 'gone', deletedAt: record!.createdAt, ...HEALTHY });
  expect(await names()).toEqual([1, ['late']]);
  expect(early.failingSince).toBe(1_000);
});

it('a user’s sessions of one status are found, however many of other statuses there are', async () => {
  const store = on.store(1);
  for (let i = 0; i < 12; i++) await create(store, `s${String(i).padStart(2, '0')}`);
  const { record } = await store.read('s09');
  await put(store, record!, { wanted: 'asleep', pod: 'asleep', cause: 'manual' });
  const { items, cursor } = await store.list({ userId: 'ada', status: 'sleeping' }, 4, null);
  expect(items.map(({ record }) => record.uuid)).toEqual(['s09']);
  expect(cursor).toBeNull();
});

// A name that begins another, names with the byte 0 that ends a name, and letters that sort differently as strings and as bytes.
const USERS = ['ad', 'ada', 'ada\0x', 'ada\x01', 'Zoë', 'zoe', '\u{ff5e}', '\u{1f600}', 'ä'.repeat(255)];

it('whatever users are called, each has its own sessions, and a list meets all of them', async () => {
  const store = on.store(2);
  const own = new Map(USERS.map((userId, i) => [userId, [`s${i}a`, `s${i}b`, `s${i}c`]]));
  for (const [userId, uuids] of own) for (const uuid of uuids) await create(store, uuid, userId);
  // One session of each user sleeps, so that a page comes from two indexes.
  for (const [, [uuid]] of own) {
    const { record } = await store.read(uuid!);
    await put(store, record!, { wanted: 'asleep', pod: 'asleep', cause: 'manual' });
  }
  const all = async (filter: { userId?: string }) => {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await store.list(filter, 2, cursor);
      found.push(...page.items.map(({ record }) => record.uuid));
      cursor = page.cursor;
    } while (cursor);
    return found.sort();
  };
  for (const [userId, uuids] of own) {
    expect(await all({ userId }), userId).toEqual(uuids);
    expect(await uuidsOf(store, [userId]), userId).toEqual(uuids);
  }
  const some = USERS.filter((_, i) => i % 2 === 0);
  expect(await uuidsOf(store, [...some, 'nobody'])).toEqual(some.flatMap((userId) => own.get(userId)!).sort());
  // More sessions than users, so each user is read separately: the first user's range contains the second user's sessions.
  expect(await uuidsOf(store, ['ada', 'ada\0x'])).toEqual([...own.get('ada')!, ...own.get('ada\0x')!].sort());
  expect(await uuidsOf(store, USERS)).toEqual([...own.values()].flat().sort());
  expect(await all({})).toEqual([...own.values()].flat().sort());
});

it('users with few sessions and with many are found with one lookup each and a page for each 500 sessions', async () => {
  const store = on.store(1);
  const many = Array.from({ length: 1_100 }, (_, i) => `m${i}`);
  const few = Array.from({ length: 12 }, (_, i) => `f${i}`);
  await Promise.all([...many.map((uuid) => create(store, uuid, 'many')), ...few.map((uuid, i) => create(store, uuid, `user ${i}`))]);
  await create(store, 'x', 'many\0x');
  const { record: asleep } = await store.read('m3');
  await put(store, asleep!, { wanted: 'asleep', pod: 'asleep', cause: 'manual' });
  const { record: leaving } = await store.read('m4');
  await put(store, leaving!, { wanted: 'gone', cause: 'manual' });
  const users = ['many', ...few.map((_, i) => `user ${i}`)];
  const pages: (readonly OwnedSession[])[] = await Readable.from(store.ofUsers(0, users)).toArray();
  expect(pages.map((page) => page.length)).toEqual([12, 500, 500, 99]);
  expect(new Set(pages.slice(1).flatMap((page) => page.map(({ userId }) => userId)))).toEqual(new Set(['many']));
  const uuids = pages.flatMap((page) => page.map(({ uuid }) => uuid));
  expect(uuids.sort()).toEqual([...few, ...many.filter((uuid) => uuid !== 'm4')].sort());
});
