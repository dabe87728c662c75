import { expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { create, put, useRedis } from './store.fixture.ts';

const on = useRedis();

it('what a newer version wrote into a record is left alone, whatever this one does with it', async () => {
  const store = on.store(1);
  let { record } = await create(store, 'a');
  const key = new Keyspace(on.prefix, 1).of('a').session('a');
  await on.redis.hset(key, 'zz', 'of a newer version');
  ({ record } = (await store.touch('a', 'user', null)) as { record: typeof record });
  ({ record } = await put(store, record, { wanted: 'asleep', action: 'sleep', token: 't' }));
  await store.renew('a', 't', 1_000);
  ({ record } = (await store.read('a')) as { record: typeof record });
  ({ record } = await put(store, record, { pod: 'asleep', action: '', token: '', sleptAt: record.createdAt }));
  ({ record } = await put(store, record, { wanted: 'gone', pod: 'gone', deletedAt: record.createdAt }));
  expect(await on.redis.hget(key, 'zz')).toBe('of a newer version');
});

it('what an older version did not write reads as nothing', async () => {
  const store = on.store(1);
  const { record } = await create(store, 'a');
  const key = new Keyspace(on.prefix, 1).of('a').session('a');
  // The fields of a record that the first release wrote.
  const first = ['u', 'p', 's', 'd', 'b', 'c', 'w', 'o', 'y', 'a', 'r', 'n', 'sa', 'da'];
  for (const field of await on.redis.hkeys(key)) if (!first.includes(field)) await on.redis.hdel(key, field);
  const read = (await store.read('a')).record;
  expect({ ...read, intake: record.intake }).toEqual({ ...record, workspaceUrl: '' });
});
