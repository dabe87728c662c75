import type { SessionEvidence, StatusChange } from './evidence.ts';

/** The result for one promise: what was checked, how often, and what broke it. */
export class PromiseResult {
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
  check(what: string, holds: boolean, session: SessionEvidence, how: () => string): void {
    this.count(what);
    if (!holds) this.broken.push(`${session.uuid}: ${what}: ${how()}`);
  }
}

/** Returns the change that set the status in effect at `at`, or null before the first change. */
export function changeAt(session: SessionEvidence, at: number): StatusChange | null {
  return session.changes.findLast((change) => change.at <= at) ?? null;
}
