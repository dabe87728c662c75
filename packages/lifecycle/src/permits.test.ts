import { expect, it } from 'vitest';
import { settled } from './lifecycle.fixture.ts';
import { Permits, type Purpose } from './permits.ts';

/** Without a rate limiter there are no pauses. */
const never = { pause: () => Promise.reject(new Error('nobody should pause here')) };

it('bounds what runs at once, and keeps a place for wakes', async () => {
  const permits = new Permits(2, null, never);
  let sleeps = 0;
  const first = await permits.acquire('other');
  permits.acquire('other').then(() => sleeps++);
  await settled();
  expect(sleeps).toBe(0);
  const wake = await permits.acquire('wake');
  first?.();
  await settled();
  expect(sleeps).toBe(1);
  wake?.();
});

it('serves a waiting wake before a sleep that waits longer', async () => {
  const permits = new Permits(1, null, never);
  const order: string[] = [];
  const first = await permits.acquire('wake');
  const waits = async (name: string, purpose: Purpose) => {
    const release = await permits.acquire(purpose);
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
  const release = await new Permits(1, null, never).acquire('other');
  release?.();
});

it('gives half of the places at most to retries, which do not stand in line', async () => {
  const permits = new Permits(10, null, never);
  const retries = await Promise.all(Array.from({ length: 8 }, () => permits.acquire('retry')));
  expect(retries.map((release) => release !== null)).toEqual([true, true, true, true, true, false, false, false]);
  let others = 0;
  for (let i = 0; i < 12; i++) permits.acquire('other').then(() => others++);
  await settled();
  // A tenth of the permits is for wakes only.
  expect(others).toBe(4);
  retries[0]?.();
  await settled();
  expect(others).toBe(5);
  (await permits.acquire('wake'))?.();
});

it('keeps to the pace, and gives a place that became free to the wake that came while a sleep waited for it', async () => {
  const places = [25, 0, 10, 0];
  const pauses: number[] = [];
  let go = () => {};
  const permits = new Permits(
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
  permits.acquire('other').then(() => order.push('sleep'));
  await settled();
  expect(order).toEqual([]);
  permits.acquire('wake').then(() => order.push('wake'));
  go();
  await settled();
  expect(order).toEqual(['wake']);
  go();
  await settled();
  expect(order).toEqual(['wake', 'sleep']);
  expect(pauses).toEqual([25, 10]);
});
