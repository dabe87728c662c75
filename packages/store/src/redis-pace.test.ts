import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { RedisPace } from './redis-pace.ts';
import { useRedis } from './store.fixture.ts';

const on = useRedis();
let other: Redis;

beforeEach(() => {
  other = on.connect();
});
afterEach(() => other.disconnect());

const key = () => new Keyspace(on.prefix, 1).shards[0]!.pace;

/** Redis' clock, µs. */
async function clock(): Promise<number> {
  const [s, us] = await on.redis.time();
  return Number(s) * 1_000_000 + Number(us);
}

it('however many ask, over however many connections, no place is nearer to the last than its share of a second', async () => {
  const perSecond = 100;
  const distance = 1_000_000 / perSecond;
  const takers = [on.redis, other].flatMap((redis) => Array.from({ length: 8 }, () => new RedisPace(redis, on.prefix, perSecond)));
  /** When the slot after each taken one is free, µs; some may be missing where another taker was faster. */
  const next: number[] = [];
  let taken = 0;
  const began = await clock();
  const takeFive = async (pace: RedisPace) => {
    for (let mine = 0; mine < 5; ) {
      const ms = await pace.take();
      if (ms === 0) {
        mine++;
        taken++;
        next.push(Number(await on.redis.get(key())));
      } else await pause(ms);
    }
  };
  await Promise.all(takers.map(takeFive));
  const took = (await clock()) - began;
  expect(taken).toBe(80);
  expect(took).toBeGreaterThanOrEqual((taken - 1) * distance);
  const places = [...new Set(next)].sort((a, b) => a - b);
  expect(places.length).toBeGreaterThan(1);
  for (const [i, place] of places.entries()) if (i > 0) expect(place - places[i - 1]!).toBeGreaterThanOrEqual(distance);
});

it('says how many ms it is until the next place', async () => {
  const pace = new RedisPace(on.redis, on.prefix, 1);
  expect(await pace.take()).toBe(0);
  const free = Number(await on.redis.get(key()));
  const before = await clock();
  const ms = await new RedisPace(other, on.prefix, 1).take();
  const after = await clock();
  expect(ms * 1_000).toBeLessThanOrEqual(free - before);
  expect(ms * 1_000).toBeGreaterThanOrEqual(free - after);
});

it('a place that nobody took is not kept for later', async () => {
  const pace = new RedisPace(on.redis, on.prefix, 1);
  await on.redis.set(key(), (await clock()) - 60_000_000);
  expect(await pace.take()).toBe(0);
  expect(await pace.take()).toBeGreaterThan(0);
});

it('a spare place is one that nobody took in its time, and the next may still go at once', async () => {
  const pace = new RedisPace(on.redis, on.prefix, 1);
  expect(await pace.take()).toBe(0);
  // The slot before the present one did not pass unused.
  await on.redis.set(key(), (await clock()) - 500_000);
  const ms = await pace.takeSpare();
  expect(ms).toBeGreaterThan(400);
  expect(ms).toBeLessThanOrEqual(500);
  await on.redis.set(key(), (await clock()) - 1_100_000);
  expect(await pace.takeSpare()).toBe(0);
  expect(await pace.takeSpare()).toBeGreaterThan(900);
  expect(await pace.take()).toBe(0);
  expect(await pace.takeSpare()).toBeGreaterThan(1_900);
});

it('a clock that was set back does not close it', async () => {
  await on.redis.set(key(), (await clock()) + 3_600_000_000);
  expect(await new RedisPace(on.redis, on.prefix, 1).take()).toBe(0);
});

it('two deployments on one Redis do not share a pace', async () => {
  expect(await new RedisPace(on.redis, on.prefix, 1).take()).toBe(0);
  expect(await new RedisPace(on.redis, `${on.prefix}-b`, 1).take()).toBe(0);
});
