import { appendFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { runHistories } from './history.ts';
import { Tally } from './tally.ts';

const HISTORIES = 2_500;
const BATCH = 100;

it(`${HISTORIES} histories of one deployment or another, and in none a promise broken`, { timeout: 900_000 }, async () => {
  const tally = new Tally();
  while (tally.histories < HISTORIES) {
    const first = 1 + tally.histories;
    const broken = tally.add(await runHistories(Array.from({ length: BATCH }, (_, i) => first + i)));
    expect(broken && `${broken.violation}; replay: npm run simulate -- --seed ${broken.seed}`).toBeUndefined();
  }
  // None of the checks was of nothing.
  const { acknowledged, decisions, calls, takeovers, samples, gaps, repairs } = tally.sums;
  for (const count of [acknowledged, decisions, calls, samples]) expect(count).toBeGreaterThan(4 * HISTORIES);
  for (const count of [takeovers, gaps, repairs]) expect(count).toBeGreaterThan(HISTORIES / 50);
  expect(tally.kills).toBeGreaterThan(HISTORIES / 2);
  const file = process.env.SANDMAN_FIGURES;
  if (file) appendFileSync(file, `${JSON.stringify({ simulation: { histories: tally.histories, kills: tally.kills, ...tally.sums } })}\n`);
});

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
