import type { History } from './history.ts';

/** Sums up the counts of many histories. */
export class HistoryTotals {
  histories = 0;
  kills = 0;
  readonly sums: Record<string, number> = {};

  /** @returns the first of these histories that broke a promise */
  add(histories: readonly History[]): History | undefined {
    for (const { checked, kills } of histories) {
      this.histories++;
      this.kills += kills;
      for (const [what, count] of Object.entries(checked)) this.sums[what] = (this.sums[what] ?? 0) + count;
    }
    return histories.find(({ violation }) => violation !== null);
  }

  toString(): string {
    const sums = Object.entries(this.sums).map(([what, count]) => `${count} ${what}`);
    return [`${this.histories} histories`, `${this.kills} kills`, ...sums].join(', ');
  }
}
