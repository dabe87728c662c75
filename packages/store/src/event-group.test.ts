import { expect, it } from 'vitest';
import { EventGroup, type TakenEvent } from './event-group.ts';
import { ShardKeys } from './keys.ts';
import { create, useRedis } from './store.fixture.ts';

const on = useRedis();
const reader = (name: string, abandoned = 30_000) =>
  new EventGroup(on.redis, { prefix: on.prefix, shard: 0, group: 'test', reader: name, abandoned });
const uuids = Array.from({ length: 12 }, (_, i) => `s${i}`);
const born = (events: readonly TakenEvent[]) => events.map(({ uuid }) => uuid).toSorted();
const createAll = async () => {
  for (const uuid of uuids) await create(on.store(1), uuid);
};

it('each change is one reader’s, from when the group began; what is done does not come again', async () => {
  const [one, other] = [reader('one'), reader('other')];
  await create(on.store(1), 'before');
  // The first reader creates the group.
  expect(await Promise.all([one.take(1), other.take(1)])).toEqual([[], []]);
  await createAll();
  const first = await one.take(2);
  const rest = [...(await other.take(100)), ...(await one.take(100))];
  expect(born([...first, ...rest])).toEqual(uuids.toSorted());
  expect(first).toHaveLength(2);
  expect(first[0]).toMatchObject({ from: '', to: 'active', cause: 'created' });
  for (const event of [...first, ...rest]) await one.done(event);
  expect(await reader('third', 0).take(100)).toEqual([]);
});

it('what a reader took and never finished is another’s, after a while', async () => {
  const dead = reader('dead');
  await dead.take(1);
  await createAll();
  const taken = await dead.take(100);
  await dead.done(taken[0]!);
  expect(await reader('patient').take(100)).toEqual([]);
  expect(born(await reader('heir', 0).take(100))).toEqual(born(taken.slice(1)));
});

it('what the stream’s cap took away is passed over', async () => {
  const dead = reader('dead');
  await dead.take(1);
  await createAll();
  expect(await dead.take(100)).toHaveLength(uuids.length);
  await on.redis.xtrim(new ShardKeys(on.prefix, 0).events, 'MAXLEN', 0);
  expect(await reader('heir', 0).take(100)).toEqual([]);
});

it('a group that Redis has forgotten begins anew, with what came after the last event', async () => {
  const one = reader('one');
  await one.take(1);
  await create(on.store(1), 'seen');
  expect(born(await one.take(100))).toEqual(['seen']);
  await on.redis.xgroup('DESTROY', new ShardKeys(on.prefix, 0).events, 'test');
  await create(on.store(1), 'missed');
  await expect(one.take(100)).rejects.toThrow('NOGROUP');
  expect(born(await one.take(100))).toEqual(['missed']);
});
