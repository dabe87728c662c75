import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Readiness } from './readiness.ts';

let redisAnswers: boolean;
let readiness: Readiness;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] });
  redisAnswers = true;
  readiness = new Readiness(async () => redisAnswers);
});
afterEach(() => {
  vi.useRealTimers();
});

/** Returns after how many ms `leave` resolves; NaN if not within 20,000. */
async function leaving(): Promise<number> {
  const from = performance.now();
  let leftAt = Number.NaN;
  readiness.drain().then(() => {
    leftAt = performance.now();
  });
  await vi.advanceTimersByTimeAsync(20_000);
  return leftAt - from;
}

it('is what Redis is, until it leaves', async () => {
  expect(await readiness.check()).toBe(true);
  redisAnswers = false;
  expect(await readiness.check()).toBe(false);
  redisAnswers = true;
  readiness.drain();
  expect(await readiness.check()).toBe(false);
});

it('a check that was under way when the process left answers not ready', async () => {
  const answer = readiness.check();
  readiness.drain();
  expect(await answer).toBe(false);
});

it('repeated checks are answered not ready for five seconds, however often the process is told to leave', async () => {
  for (let i = 0; i < 3; i++) {
    await readiness.check();
    vi.advanceTimersByTime(9_900);
  }
  readiness.drain();
  expect(await leaving()).toBe(5_000);
});

it.each([
  ['no check came', async () => {}],
  ['a check waited for its start', async () => void (await readiness.check())],
  [
    'a check came while Redis was away, and again until it was ready',
    async () => {
      redisAnswers = false;
      for (let i = 0; i < 5; i++) await readiness.check();
      redisAnswers = true;
      await readiness.check();
    },
  ],
  [
    'those who asked have stopped',
    async () => {
      await readiness.check();
      await readiness.check();
      vi.advanceTimersByTime(10_000);
    },
  ],
])('where %s it leaves at once', async (_, before) => {
  await before();
  expect(await leaving()).toBe(0);
});
