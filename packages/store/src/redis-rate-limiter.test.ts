import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { RedisRateLimiter } from './redis-rate-limiter.ts';
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
  const takers = [on.redis, other].flatMap((redis) => Array.from({ length: 8 }, () => new RedisRateLimiter(redis, on.prefix, perSecond)));
  /** When the slot after each taken one is free, µs; some may be missing where another taker was faster. */
  const next: number[] = [];
  let taken = 0;
  const began = await clock();
  const takeFive = async (limiter: RedisRateLimiter) => {
    for (let mine = 0; mine < 5; ) {
      const ms = await limiter.take();
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
  const limiter = new RedisRateLimiter(on.redis, on.prefix, 1);
  expect(await limiter.take()).toBe(0);
  const free = Number(await on.redis.get(key()));
  const before = await clock();
  const ms = await new RedisRateLimiter(other, on.prefix, 1).take();
  const after = await clock();
  expect(ms * 1_000).toBeLessThanOrEqual(free - before);
  expect(ms * 1_000).toBeGreaterThanOrEqual(free - after);
});

it('a place that was not taken is not kept for later', async () => {
  const limiter = new RedisRateLimiter(on.redis, on.prefix, 1);
  await on.redis.set(key(), (await clock()) - 60_000_000);
  expect(await limiter.take()).toBe(0);
  expect(await limiter.take()).toBeGreaterThan(0);
});

it('a spare place is one that was not taken in its time, and the next call may still go at once', async () => {
  const limiter = new RedisRateLimiter(on.redis, on.prefix, 1);
  expect(await limiter.take()).toBe(0);
  // The slot before the present one did not pass unused.
  await on.redis.set(key(), (await clock()) - 500_000);
  const ms = await limiter.takeSpare();
  expect(ms).toBeGreaterThan(400);
  expect(ms).toBeLessThanOrEqual(500);
  await on.redis.set(key(), (await clock()) - 1_100_000);
  expect(await limiter.takeSpare()).toBe(0);
  expect(await limiter.takeSpare()).toBeGreaterThan(900);
  expect(await limiter.take()).toBe(0);
  expect(await limiter.takeSpare()).toBeGreaterThan(1_900);
});

it('a clock that was set back does not close it', async () => {
  await on.redis.set(key(), (await clock()) + 3_600_000_000);
  expect(await new RedisRateLimiter(on.redis, on.prefix, 1).take()).toBe(0);
});

it('two deployments on one Redis do not share a rate limit', async () => {
  expect(await new RedisRateLimiter(on.redis, on.prefix, 1).take()).toBe(0);
  expect(await new RedisRateLimiter(on.redis, `${on.prefix}-b`, 1).take()).toBe(0);
});
