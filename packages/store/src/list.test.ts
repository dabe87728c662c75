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

it('a list that looks through so many at most gives what it found, and where to go on', async () => {
  const store = on.store(1);
  for (let i = 0; i < 12; i++) await create(store, `s${String(i).padStart(2, '0')}`);
  const { record } = await store.read('s09');
  await put(store, record!, { wanted: 'asleep', pod: 'asleep', cause: 'manual' });
  const filter = { userId: 'ada', status: 'sleeping' } as const;
  const first = await store.list(filter, 4, null, 8);
  expect(first.items).toEqual([]);
  const second = await store.list(filter, 4, first.cursor, 8);
  expect(second.items.map(({ record }) => record.uuid)).toEqual(['s09']);
  expect(second.cursor).toBeNull();
  expect((await store.list(filter, 4, null)).items).toHaveLength(1);
});
