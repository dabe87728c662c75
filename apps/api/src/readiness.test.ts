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
  readiness.leave().then(() => {
    leftAt = performance.now();
  });
  await vi.advanceTimersByTimeAsync(20_000);
  return leftAt - from;
}

it('is what Redis is, until it leaves', async () => {
  expect(await readiness.tell()).toBe(true);
  redisAnswers = false;
  expect(await readiness.tell()).toBe(false);
  redisAnswers = true;
  readiness.leave();
  expect(await readiness.tell()).toBe(false);
});

it('an answer that was under way when it left says that it left', async () => {
  const told = readiness.tell();
  readiness.leave();
  expect(await told).toBe(false);
});

it('whoever asks again and again is told for five seconds, however often it is told to leave', async () => {
  for (let i = 0; i < 3; i++) {
    await readiness.tell();
    vi.advanceTimersByTime(9_900);
  }
  readiness.leave();
  expect(await leaving()).toBe(5_000);
});

it.each([
  ['nobody asked', async () => {}],
  ['somebody waited for its start', async () => void (await readiness.tell())],
  [
    'somebody asked while Redis was away, and again until it was ready',
    async () => {
      redisAnswers = false;
      for (let i = 0; i < 5; i++) await readiness.tell();
      redisAnswers = true;
      await readiness.tell();
    },
  ],
  [
    'those who asked have stopped',
    async () => {
      await readiness.tell();
      await readiness.tell();
      vi.advanceTimersByTime(10_000);
    },
  ],
])('where %s it leaves at once', async (_, before) => {
  await before();
  expect(await leaving()).toBe(0);
});
