import { expect, it } from 'vitest';
import { Permits } from './permits.ts';

/** Lets every promise that can settle do so. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('bounds what runs at once, and keeps a place for wakes', async () => {
  const permits = new Permits(2);
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
  const permits = new Permits(1);
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
  const release = await new Permits(1).acquire(false);
  release();
});
