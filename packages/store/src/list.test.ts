import { HEALTHY } from '@sandman/core';
import { expect, it } from 'vitest';
import { create, put, useRedis } from './store.fixture.ts';

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
  // A touch and another failure leave it where it was.
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

// A name that begins another, one with the byte that ends a name, and letters that strings and bytes put in different orders.
const USERS = ['ad', 'ada', 'ada\0x', 'ada\x01', 'Zoë', 'zoe', '\u{ff5e}', '\u{1f600}', 'ä'.repeat(255)];

it('whatever users are called, each has its own sessions, and a list meets all of them', async () => {
  const store = on.store(2);
  const own = new Map(USERS.map((userId, i) => [userId, [`s${i}a`, `s${i}b`, `s${i}c`]]));
  for (const [userId, uuids] of own) for (const uuid of uuids) await create(store, uuid, userId);
  // Of each user one sleeps, so that a page comes from two indexes.
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
    expect((await store.ofUser(userId)).map(({ record }) => record.uuid).sort(), userId).toEqual(uuids);
  }
  expect(await all({})).toEqual([...own.values()].flat().sort());
});
