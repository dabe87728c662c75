import type { Ingest } from './ingest.ts';
import type { SessionRecord } from './session.ts';

/** When a session sleeps and is deleted if no activity arrives, in ms; `null` is never. */
export interface Deadlines {
  /** When an awake session is put to sleep. */
  readonly sleepAt: number | null;
  readonly deleteAt: number | null;
}

/**
 * Returns when the warning before the sleep at `sleepAt` is to be sent, in ms; null where warnings are off or this one was
 * sent. A policy whose `sleepAfter` is less than twice the warning time has no warnings: after a warning its alarm is set for
 * the sleep, and activity could make the next warning due before that.
 */
export function warnAt({ policy, ingest, warnedOf }: SessionRecord, sleepAt: number | null): number | null {
  const { warning } = ingest;
  if (sleepAt === null || warning === 0 || warnedOf === sleepAt) return null;
  return (policy.sleepAfter ?? 0) >= 2 * warning ? sleepAt - warning : null;
}

/** Returns the idle deadline, in ms: `after` ms past the last activity; background activity counts up to the policy's cap. */
function idleEnd(record: SessionRecord, ingest: Ingest, after: number): number {
  const background = Math.min(record.lastBackground + after, record.lastActivity + record.policy.backgroundCap);
  return Math.max(Math.max(record.lastActivity, record.wokenAt, ingest.floor) + after, background, record.holdUntil);
}

/**
 * Returns the deadlines that the contract defines.
 *
 * - The end of a wake counts as activity. So does the end of a gap, for a session that is wanted awake.
 * - A sleeping session's delete moves later by the length of each gap. Its `deleteAfter` starts again when Redis comes back
 *   with older data, because Redis may have forgotten a wake.
 * - A session that is wanted asleep and whose pod does not sleep yet keeps its delete deadline, so that it is deleted even if
 *   the sleep call never succeeds.
 *
 * @param ingest the intake to use instead of the record's, to look ahead
 */
export function deadlines(record: SessionRecord, ingest = record.ingest): Deadlines {
  const { sleepAfter, deleteAfter } = record.policy;
  const sleepAt = sleepAfter === null ? null : idleEnd(record, ingest, sleepAfter);
  if (deleteAfter === null) return { sleepAt, deleteAt: null };
  if (record.wanted === 'asleep') {
    const from = record.pod === 'asleep' ? record.sleptAt : record.cause === 'idle' ? (sleepAt ?? 0) : record.manualSleepAt;
    const lost = ingest.lost - record.lostBefore;
    return { sleepAt, deleteAt: Math.max(from, record.lastActivity, record.wokenAt, ingest.rewound) + deleteAfter + lost };
  }
  return { sleepAt, deleteAt: sleepAt === null ? idleEnd(record, ingest, deleteAfter) : sleepAt + deleteAfter };
}
