import { expect, it } from 'vitest';
import { EventGroup } from './event-group.ts';
import { eventLag } from './event-lag.ts';
import { ShardKeys } from './keys.ts';
import { create, useRedis } from './store.fixture.ts';

const on = useRedis();
const reader = () => new EventGroup(on.redis, { prefix: on.prefix, shard: 0, group: 'test', reader: 'one', fromStart: true });
const now = (shards = 1) => eventLag(on.redis, { prefix: on.prefix, shards, group: 'test' });

it('a group is behind what it was not given and what it has not finished, by the age of the oldest', async () => {
  expect(await now()).toEqual({ events: 0, age: 0 });
  for (let i = 0; i < 5; i++) await create(on.store(1), `s${i}`);
  await new Promise((resolve) => setTimeout(resolve, 30));
  // The group does not exist yet.
  expect((await now()).events).toBe(5);
  const one = reader();
  const taken = await one.take(2);
  expect(await now()).toMatchObject({ events: 5, age: expect.any(Number) });
  expect((await now()).age).toBeGreaterThanOrEqual(30);
  await one.done(...taken);
  expect((await now()).events).toBe(3);
  await one.done(...(await one.take(10)));
  expect(await now()).toEqual({ events: 0, age: 0 });
});

it('counts all shards, and more than one script counts', async () => {
  for (const shard of [0, 1]) {
    const { events } = new ShardKeys(on.prefix, shard);
    const pipeline = on.redis.pipeline();
    for (let i = 0; i < 2_300; i++) pipeline.xadd(events, '*', 'uuid', `${i}`);
    await pipeline.exec();
  }
  expect((await now(2)).events).toBe(4_600);
});

it('a group may begin with what happened before it', async () => {
  await create(on.store(1), 'before');
  expect((await reader().take(10)).map(({ uuid }) => uuid)).toEqual(['before']);
});

it('events that the stream’s cap removed do not count as lag for ever', async () => {
  for (const uuid of ['lost', 'too', 'kept']) await create(on.store(1), uuid);
  const one = reader();
  const taken = await one.take(10);
  await on.redis.xtrim(new ShardKeys(on.prefix, 0).events, 'MAXLEN', 1);
  await new EventGroup(on.redis, { prefix: on.prefix, shard: 0, group: 'test', reader: 'heir', abandoned: 60_000 }).take(10);
  expect((await now()).events).toBe(1);
  await one.done(taken.at(-1)!);
  expect(await now()).toEqual({ events: 0, age: 0 });
});
