import { expect, it } from 'vitest';
import { EventGroup, type TakenEvent } from './event-group.ts';
import { Keyspace } from './keys.ts';
import { create, useRedis } from './store.fixture.ts';

const on = useRedis();
const SHARDS = 3;
const reader = (name: string, abandoned = 30_000) =>
  new EventGroup(on.redis, { prefix: on.prefix, shards: SHARDS, group: 'test', reader: name, abandoned });
const uuids = Array.from({ length: 12 }, (_, i) => `s${i}`);
const born = (events: readonly TakenEvent[]) => events.map(({ uuid }) => uuid).toSorted();

it('each change is one reader’s, from when the group began; what is done does not come again', async () => {
  const [one, other] = [reader('one'), reader('other')];
  await create(on.store(SHARDS), 'before');
  // Whoever comes first begins it.
  await Promise.all([one.join(), other.join(), one.join()]);
  for (const uuid of uuids) await create(on.store(SHARDS), uuid);
  const first = await one.take(2);
  const rest = [...(await other.take(100)), ...(await one.take(100))];
  expect(born([...first, ...rest])).toEqual(uuids.toSorted());
  expect(first.length).toBeLessThanOrEqual(2 * SHARDS);
  expect(first[0]).toMatchObject({ from: '', to: 'active', cause: 'created' });
  for (const event of [...first, ...rest]) await one.done(event);
  expect(await reader('third', 0).take(100)).toEqual([]);
});

it('what a reader took and never finished is another’s, after a while', async () => {
  const dead = reader('dead');
  await dead.join();
  for (const uuid of uuids) await create(on.store(SHARDS), uuid);
  const taken = await dead.take(100);
  await dead.done(taken[0]!);
  expect(await reader('patient').take(100)).toEqual([]);
  expect(born(await reader('heir', 0).take(100))).toEqual(born(taken.slice(1)));
});

it('what the stream’s cap took away is passed over', async () => {
  const dead = reader('dead');
  await dead.join();
  for (const uuid of uuids) await create(on.store(SHARDS), uuid);
  expect(await dead.take(100)).toHaveLength(uuids.length);
  for (const { events } of new Keyspace(on.prefix, SHARDS).shards) await on.redis.xtrim(events, 'MAXLEN', 0);
  expect(await reader('heir', 0).take(100)).toEqual([]);
});

it('a group that is gone is an error, and begins anew with what comes', async () => {
  const one = reader('one');
  await expect(one.take(1)).rejects.toThrow('NOGROUP');
  await one.join();
  await create(on.store(SHARDS), 's0');
  expect(born(await one.take(1))).toEqual(['s0']);
});
