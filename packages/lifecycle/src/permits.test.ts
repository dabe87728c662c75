import { expect, it } from 'vitest';
import { settled } from './lifecycle.fixture.ts';
import { Permits } from './permits.ts';

/** Without a pace nobody pauses. */
const never = { pause: () => Promise.reject(new Error('nobody should pause here')) };

it('bounds what runs at once, and keeps a place for wakes', async () => {
  const permits = new Permits(2, null, never);
  let sleeps = 0;
  const first = await permits.acquire(false);
  permits.acquire(false).then(() => sleeps++);
  await settled();
  expect(sleeps).toBe(0);
  const wake = await permits.acquire(true);
  first();
  await settled();
  expect(sleeps).toBe(1);
  wake();
});

it('serves a waiting wake before a sleep that waits longer', async () => {
  const permits = new Permits(1, null, never);
  const order: string[] = [];
  const first = await permits.acquire(true);
  const waits = async (name: string, wake: boolean) => {
    const release = await permits.acquire(wake);
    order.push(name);
    return release;
  };
  const sleep = waits('sleep', false);
  const wake = waits('wake', true);
  first();
  (await wake)();
  (await sleep)();
  expect(order).toEqual(['wake', 'sleep']);
});

it('with one permit in all, sleeps still get it', async () => {
  const release = await new Permits(1, null, never).acquire(false);
  release();
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
  permits.acquire(false).then(() => order.push('sleep'));
  await settled();
  expect(order).toEqual([]);
  permits.acquire(true).then(() => order.push('wake'));
  go();
  await settled();
  expect(order).toEqual(['wake']);
  go();
  await settled();
  expect(order).toEqual(['wake', 'sleep']);
  expect(pauses).toEqual([25, 10]);
});
