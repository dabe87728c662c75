import type { Reading, SessionRecord } from '@sandman/core';
import { beforeEach, expect, test } from 'vitest';
import { settlePromises, VirtualTime } from './lifecycle.fixture.ts';
import { SessionWatch } from './session-watch.ts';

let reads: string[];
let record: SessionRecord | null;
let answer: () => Promise<Reading>;
let watch: SessionWatch;
let time: VirtualTime;

/** Returns a record with only the fields that are read. */
const session = (wanted: 'awake' | 'asleep', pod: 'awake' | 'asleep' | 'unknown') =>
  ({ uuid: 'a', wanted, pod, deletedAt: 0 }) as SessionRecord;
const isAwake = ({ pod }: SessionRecord) => pod === 'awake';

beforeEach(() => {
  reads = [];
  record = session('awake', 'asleep');
  answer = async () => ({ record, now: 1 });
  time = new VirtualTime();
  const read = (uuid: string) => {
    reads.push(uuid);
    return answer();
  };
  watch = new SessionWatch({ read }, time);
});

test('a session is read once for all who wait for it, and no more when the last has gone', async () => {
  const gone = new AbortController();
  const waits = Array.from({ length: 500 }, () => watch.until('a', isAwake, { timeout: 60_000, signal: gone.signal }));
  const [first, ...others] = waits;
  await time.pass(100);
  // One read every 50 ms, however many callers wait.
  expect(reads.length).toBe(3);
  gone.abort();
  expect(await first).toBeNull();
  expect(await Promise.all(others)).toEqual(others.map(() => null));
  await time.pass(200);
  expect(reads.length).toBe(3);
});

test('all who wait are told at once when it is so', async () => {
  const waits = [watch.until('a', isAwake, { timeout: 60_000 }), watch.until('a', isAwake, { timeout: 60_000 })];
  const never = watch.until('a', () => false, { timeout: 100 });
  await time.pass(49);
  expect(reads.length).toBe(1);
  record = session('awake', 'awake');
  await time.pass(1);
  expect(await Promise.all(waits)).toEqual([
    { record, now: 1 },
    { record, now: 1 },
  ]);
  await time.pass(50);
  expect(await never).toBeNull();
});

test('a reading that began before a caller came does not count for it', async () => {
  let send: (reading: Reading) => void = () => {};
  answer = () =>
    new Promise((resolve) => {
      send = resolve;
    });
  const first = watch.until('a', isAwake, { timeout: 60_000 });
  await settlePromises();
  expect(reads.length).toBe(1);
  const second = watch.until('a', isAwake, { timeout: 60_000 });
  const old = session('awake', 'awake');
  send({ record: old, now: 1 });
  expect((await first)?.record).toBe(old);
  await time.pass(50);
  expect(reads.length).toBe(2);
  const fresh = session('awake', 'awake');
  send({ record: fresh, now: 2 });
  expect((await second)?.record).toBe(fresh);
});

test('where it is deleted, or Redis is away, all are told', async () => {
  record = null;
  await expect(watch.until('a', isAwake, { timeout: 60_000 })).rejects.toMatchObject({ code: 'session-not-found' });
  answer = () => Promise.reject(new Error('away'));
  const waits = [watch.until('a', isAwake, { timeout: 60_000 }), watch.until('a', isAwake, { timeout: 60_000 })];
  expect(await Promise.allSettled(waits)).toEqual(waits.map(() => ({ status: 'rejected', reason: new Error('away') })));
});

test('a caller that is gone already is not waited for', async () => {
  expect(await watch.until('a', isAwake, { timeout: 60_000, signal: AbortSignal.abort() })).toBeNull();
  expect(reads).toEqual([]);
});
