import { expect, it } from 'vitest';
import { expectPromisesKept } from './histories.fixture.ts';
import { runHistories } from './history.ts';

it('500 histories of one deployment or another, and in none a promise broken', { timeout: 300_000 }, () => expectPromisesKept(1, 500));

it('a seed replays exactly, event by event', async () => {
  const run = async (seed: number) => {
    const events: string[] = [];
    await runHistories([seed], (event) => events.push(event));
    return events;
  };
  const [once, again, other] = [await run(7), await run(7), await run(8)];
  expect(once.length).toBeGreaterThan(50);
  expect(again).toEqual(once);
  expect(other).not.toEqual(once);
});
