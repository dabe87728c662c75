import type { Ingest } from './ingest.ts';
import type { SessionRecord } from './session.ts';

/** When it will happen if nobody comes, in ms; `null` is never. */
export interface Deadlines {
  /** When an awake session is to fall asleep. */
  readonly sleepAt: number | null;
  readonly deleteAt: number | null;
}

/**
 * When somebody is to be warned that the session will fall asleep at `sleepAt`, in ms; null where nobody is, or was
 * already. Not of policies so short that the alarm, once past its warning, could stand later than the next one.
 */
export function warnAt({ policy, ingest, warnedOf }: SessionRecord, sleepAt: number | null): number | null {
  const { warning } = ingest;
  if (sleepAt === null || warning === 0 || warnedOf === sleepAt) return null;
  return (policy.sleepAfter ?? 0) >= 2 * warning ? sleepAt - warning : null;
}

/** The end of the idle time `after` that the last signals started, background ones under their cap. */
function idleEnd(record: SessionRecord, ingest: Ingest, after: number): number {
  const background = Math.min(record.lastBackground + after, record.lastActivity + record.policy.backgroundCap);
  return Math.max(Math.max(record.lastActivity, record.wokenAt, ingest.floor) + after, background, record.holdUntil);
}

/**
 * The contract's deadlines. The end of a wake counts as activity, and so does the end of an ingest gap for a session that
 * is wanted awake; a sleeper's delete moves out by the gap's length, and starts anew where Redis may have forgotten a wake.
 * A session that is wanted asleep and is not yet keeps the deadline by which it is deleted even if sleeping never succeeds
 * (the delete backstop).
 *
 * @param ingest another than the record's, to look ahead
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
