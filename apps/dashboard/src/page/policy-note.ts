import { parseDuration } from '@sandman/core';

const HOUR = 3_600_000;
/** From Friday 18:00 to Monday 9:00, in ms. */
const WEEKEND = 63 * HOUR;
const WEEK = 7 * 24 * HOUR;
const MONTH = 30 * 24 * HOUR;

function lengthOf(time: string): number {
  return time === 'never' ? Number.POSITIVE_INFINITY : parseDuration(time, 'policy');
}

/** Says what a policy means for a user who returns after a weekend, and which setting keeps work for longer. */
export function policyNote({ sleepAfter, deleteAfter }: { readonly sleepAfter: string; readonly deleteAfter: string }): string {
  const kept = lengthOf(deleteAfter);
  if (kept === Number.POSITIVE_INFINITY) return 'The pod is never deleted for being idle.';
  const untilDelete = kept + (sleepAfter === 'never' ? 0 : lengthOf(sleepAfter));
  const weekend = `A user who leaves on Friday finds the pod ${untilDelete < WEEKEND ? 'deleted' : 'again'} on Monday.`;
  if (kept >= MONTH) return weekend;
  const longer = kept < WEEK ? '7d (conservative) keeps work for a week, 30d for a month' : '30d keeps work for a month';
  return `${weekend} A deleteAfter of ${longer}.`;
}
