import { expect, it } from 'vitest';
import { CallLimiter, type Purpose } from './call-limiter.ts';
import { settlePromises } from './lifecycle.fixture.ts';

/** Without a rate limiter there are no pauses. */
const never = { pause: () => Promise.reject(new Error('there must be no pause')) };

it('bounds the calls in flight, and keeps a permit for wakes', async () => {
  const limiter = new CallLimiter(2, null, never);
  let sleeps = 0;
  const first = await limiter.acquire('other');
  limiter.acquire('other').then(() => sleeps++);
  await settlePromises();
  expect(sleeps).toBe(0);
  const wake = await limiter.acquire('wake');
  first?.();
  await settlePromises();
  expect(sleeps).toBe(1);
  wake?.();
});

it('serves a waiting wake before a sleep that waits longer', async () => {
  const limiter = new CallLimiter(1, null, never);
  const order: string[] = [];
  const first = await limiter.acquire('wake');
  const waits = async (name: string, purpose: Purpose) => {
    const release = await limiter.acquire(purpose);
    order.push(name);
    return release;
  };
  const sleep = waits('sleep', 'other');
  const wake = waits('wake', 'wake');
  first?.();
  (await wake)?.();
  (await sleep)?.();
  expect(order).toEqual(['wake', 'sleep']);
});

it('with one permit in all, sleeps still get it', async () => {
  const release = await new CallLimiter(1, null, never).acquire('other');
  release?.();
});

it('gives half of the permits at most to retries, which do not queue', async () => {
  const limiter = new CallLimiter(10, null, never);
  const retries = await Promise.all(Array.from({ length: 8 }, () => limiter.acquire('retry')));
  expect(retries.map((release) => release !== null)).toEqual([true, true, true, true, true, false, false, false]);
  let others = 0;
  for (let i = 0; i < 12; i++) limiter.acquire('other').then(() => others++);
  await settlePromises();
  // A tenth of the permits is for wakes only.
  expect(others).toBe(4);
  retries[0]?.();
  await settlePromises();
  expect(others).toBe(5);
  (await limiter.acquire('wake'))?.();
});

it('keeps to the rate limit, and gives a permit that became free to the wake that came while a sleep waited for it', async () => {
  const places = [25, 0, 10, 0];
  const pauses: number[] = [];
  let go = () => {};
  const limiter = new CallLimiter(
    10,
    { take: async () => places.shift() ?? 0 },
    {
      pause: (ms) => {
        pauses.push(ms);
        return new Promise((resolve) => {
          go = resolve;
        });
      },
    },
  );
  const order: string[] = [];
  limiter.acquire('other').then(() => order.push('sleep'));
  await settlePromises();
  expect(order).toEqual([]);
  limiter.acquire('wake').then(() => order.push('wake'));
  go();
  await settlePromises();
  expect(order).toEqual(['wake']);
  go();
  await settlePromises();
  expect(order).toEqual(['wake', 'sleep']);
  expect(pauses).toEqual([25, 10]);
});
