import { changePolicy, deadlines, type SessionRecord, type SessionStore, statusOf } from '@sandman/core';
import type { NextPolicies } from './shared-policies.ts';

/** Sessions that are read at once, so that alarms which ring meanwhile do not wait. */
const AT_ONCE = 50;
/** How many such samples are read at most: where half of the sessions sleep, a share is right to within about 3 percent. */
const SAMPLES = 20;
const DAY_MS = 86_400_000;

/** Returns whether new policies make a session due within a day that is not due then as it is. */
function isNewlyDue(record: SessionRecord, { rank, successor }: NextPolicies, now: number): boolean {
  const policy = successor(record);
  const isDue = (one: SessionRecord) => (deadlines(one).deleteAt ?? Number.POSITIVE_INFINITY) < now + DAY_MS;
  return policy !== null && !isDue(record) && isDue({ ...record, ...changePolicy(record, policy, rank, now).patch });
}

/**
 * Counts the sleeping sessions that new policies make due within a day. In a fleet of fewer than 50 sessions the count is exact; in
 * a larger one it is an estimate from a random sample, because reading all records of a million would take minutes.
 */
export async function countNewlyDue(
  store: Pick<SessionStore, 'sample' | 'count'>,
  next: NextPolicies,
): Promise<{ readonly sleeping: number; readonly due: number }> {
  const seen = new Map<string, boolean>();
  for (let i = 0; i < SAMPLES; i++) {
    const readings = await store.sample(AT_ONCE);
    for (const { record, now } of readings) if (statusOf(record) === 'sleeping') seen.set(record.uuid, isNewlyDue(record, next, now));
    // These were all.
    if (readings.length < AT_ONCE) break;
  }
  const { sleeping } = await store.count();
  const due = [...seen.values()].filter(Boolean).length;
  return { sleeping, due: Math.round((sleeping * due) / Math.max(1, seen.size)) };
}
