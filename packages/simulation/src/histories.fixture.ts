import { appendFileSync } from 'node:fs';
import { expect } from 'vitest';
import { runHistories } from './history.ts';
import { HistoryTotals } from './history-totals.ts';

const HISTORIES_AT_ONCE = 100;

/** Runs the histories of these seeds, both included. None may break a promise, and each check must have run often enough to count. */
export async function expectPromisesKept(first: number, last: number): Promise<void> {
  const totals = new HistoryTotals();
  for (let from = first; from <= last; from += HISTORIES_AT_ONCE) {
    const seeds = Array.from({ length: Math.min(HISTORIES_AT_ONCE, last - from + 1) }, (_, i) => from + i);
    const broken = totals.add(await runHistories(seeds));
    expect(broken && `${broken.violation}; replay: npm run simulate -- --seed ${broken.seed}`).toBeUndefined();
  }
  const { histories, kills, sums } = totals;
  const { acknowledged, decisions, calls, takeovers, samples, gaps, repairs, graces, keeps, deleteWarnings } = sums;
  for (const count of [acknowledged, decisions, calls, samples]) expect(count).toBeGreaterThan(4 * histories);
  for (const count of [takeovers, gaps, graces, keeps, deleteWarnings]) expect(count).toBeGreaterThan(histories / 50);
  // The patrol repairs many sessions before the sweep reaches them.
  expect(repairs).toBeGreaterThan(histories / 100);
  expect(kills).toBeGreaterThan(histories / 2);
  const file = process.env.SANDMAN_FIGURES;
  if (file) appendFileSync(file, `${JSON.stringify({ simulation: { histories, kills, ...sums } })}\n`);
}
