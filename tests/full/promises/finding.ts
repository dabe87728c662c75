import type { Change, Life } from './evidence.ts';

/** The result for one promise: what was checked, how often, and what broke it. */
export class Finding {
  readonly checked: Record<string, number> = {};
  readonly broken: string[] = [];

  count(what: string, by = 1): void {
    this.checked[what] = (this.checked[what] ?? 0) + by;
  }

  /** Records the largest value of its kind, in ms. */
  worst(what: string, ms: number): void {
    this.checked[what] = Math.max(this.checked[what] ?? 0, Math.round(ms));
  }

  /** Counts a check, and records it as broken if it does not hold. */
  check(what: string, holds: boolean, life: Life, how: () => string): void {
    this.count(what);
    if (!holds) this.broken.push(`${life.uuid}: ${what}: ${how()}`);
  }
}

/** Returns the change that set the status in effect at `at`, or null before the first change. */
export function changeAt(life: Life, at: number): Change | null {
  return life.changes.findLast((change) => change.at <= at) ?? null;
}
