import { appendFileSync } from 'node:fs';
import { expect } from 'vitest';
import { runHistories } from './history.ts';
import { Tally } from './tally.ts';

const BATCH = 100;

/** Runs the histories of these seeds, both included. None may break a promise, and each check must have run often enough to count. */
export async function expectPromisesKept(first: number, last: number): Promise<void> {
  const tally = new Tally();
  for (let from = first; from <= last; from += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, last - from + 1) }, (_, i) => from + i);
    const broken = tally.add(await runHistories(seeds));
    expect(broken && `${broken.violation}; replay: npm run simulate -- --seed ${broken.seed}`).toBeUndefined();
  }
  const { histories, kills, sums } = tally;
  const { acknowledged, decisions, calls, takeovers, samples, gaps, repairs } = sums;
  for (const count of [acknowledged, decisions, calls, samples]) expect(count).toBeGreaterThan(4 * histories);
  for (const count of [takeovers, gaps]) expect(count).toBeGreaterThan(histories / 50);
  // The patrol repairs many sessions before the sweep reaches them.
  expect(repairs).toBeGreaterThan(histories / 100);
  expect(kills).toBeGreaterThan(histories / 2);
  const file = process.env.SANDMAN_FIGURES;
  if (file) appendFileSync(file, `${JSON.stringify({ simulation: { histories, kills, ...sums } })}\n`);
}
