import type { Change, Life } from './evidence.ts';

/** What became of one promise: what was checked, how often, and what broke it. */
export class Finding {
  readonly checked: Record<string, number> = {};
  readonly broken: string[] = [];

  count(what: string, by = 1): void {
    this.checked[what] = (this.checked[what] ?? 0) + by;
  }

  /** The worst of its kind, ms. */
  worst(what: string, ms: number): void {
    this.checked[what] = Math.max(this.checked[what] ?? 0, Math.round(ms));
  }

  /** Counts a check, and what broke it. */
  check(what: string, holds: boolean, life: Life, how: () => string): void {
    this.count(what);
    if (!holds) this.broken.push(`${life.uuid}: ${what}: ${how()}`);
  }
}

/** The change that made the status what it was at `at`; null before the first. */
export function changeAt(life: Life, at: number): Change | null {
  return life.changes.findLast((change) => change.at <= at) ?? null;
}
