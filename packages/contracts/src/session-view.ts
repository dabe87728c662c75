import { deadlines, describePolicy, isKept, type SessionRecord, statusOf } from '@sandman/core';
import type { Session } from './schemas.ts';

function iso(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : new Date(ms).toISOString();
}

/** Makes the view of a record that callers get. A field that does not apply is null. */
export function sessionView(record: SessionRecord, now: number): Session {
  const { sleepAt, deleteAt } = deadlines(record);
  const leaving = record.wanted === 'gone';
  // After a sleep by hand the idle deadline no longer tells when the session sleeps.
  const willSleep = record.wanted === 'awake' || (record.wanted === 'asleep' && record.pod !== 'asleep' && record.cause === 'idle');
  return {
    uuid: record.uuid,
    userId: record.userId,
    workspaceUrl: record.workspaceUrl || null,
    status: statusOf(record),
    policy: describePolicy(record.policy),
    createdAt: new Date(record.createdAt).toISOString(),
    lastActivity: new Date(record.lastActivity).toISOString(),
    sleepAt: willSleep ? iso(sleepAt) : null,
    sleptAt: iso(record.sleptAt),
    deleteAt: leaving ? null : iso(deleteAt),
    holdUntil: record.holdUntil > now ? iso(record.holdUntil) : null,
    keepUntil: !leaving && isKept(record, now) ? iso(record.keepUntil) : null,
    problem:
      record.failures === 0
        ? null
        : { since: new Date(record.failingSince).toISOString(), failures: record.failures, lastError: record.lastError },
  };
}
