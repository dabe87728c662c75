import { expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { watchRunningTime } from './running-time.ts';

it('counts the time between two times without a standstill', async () => {
  const running = watchRunningTime();
  try {
    const from = Date.now();
    expect(running.between(from, from + 7_000)).toBe(7_000);
    const until = from + 400;
    while (Date.now() < until);
    await waitFor('the standstill was noticed', () => running.between(from, from + 7_000) < 7_000);
    const [to, late] = [Date.now(), from + 7_000];
    // It began up to 20 ms before `from`, and only what lies between the two times is left out.
    expect(running.between(from, late)).toBeLessThanOrEqual(6_600);
    expect(running.between(from + 300, late)).toBeLessThanOrEqual(6_600);
    expect(running.between(to, late)).toBe(late - to);
  } finally {
    running.stop();
  }
});
