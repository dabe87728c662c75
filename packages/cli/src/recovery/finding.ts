import { type SessionRecord, type Status, statusOf } from '@sandman/core';
import type { LedgerSession } from '@sandman/ledger';
import type { PodReading } from './status-reader.ts';

/** What is wrong with a pod. */
export type PodFault =
  /** The pod exists, but the session is deleted. */
  | 'leaked'
  /** The pod does not exist, but the session is not deleted. */
  | 'gone'
  /** The pod runs, but the session has been asleep for over a minute. */
  | 'awake though asleep'
  /** The pod sleeps, but the session has been active for over a minute. */
  | 'asleep though awake';

export interface AuditFinding {
  readonly uuid: string;
  readonly userId: string;
  /** What the session should be. */
  readonly status: Status;
  readonly fault: PodFault;
  /** Until when the session is kept, ISO 8601; null: it is not. */
  readonly keepUntil: string | null;
}

/** A session whose status changed within this time, in ms, may still be changing, so it is no finding. */
const SETTLING_MS = 60_000;

/**
 * Compares a session with its pod. Uses the record if Redis has one, because the ledger only follows it; else the ledger's row.
 *
 * @param now in ms of the epoch
 * @returns null if nothing is wrong
 */
export function findingOf(session: LedgerSession, record: SessionRecord | null, reading: PodReading, now: number): AuditFinding | null {
  const status = record ? statusOf(record) : session.status;
  // Only the record has the time of the last wake.
  const awakeSince = Math.max(session.createdAt, record?.wokenAt ?? 0);
  const since = status === 'active' ? awakeSince : record ? record.sleptAt : session.sleptAt;
  const fault = faultOf(status, reading, now - since);
  return fault && { uuid: session.uuid, userId: session.userId, status, fault, keepUntil: keptUntil(session, record, now) };
}

/** Returns until when a session is kept, ISO 8601; null: it is not. By its record if Redis has one, else by the ledger's row. */
export function keptUntil(session: LedgerSession, record: SessionRecord | null, now: number): string | null {
  const until = record?.keepUntil ?? session.keepUntil;
  return until > now ? new Date(until).toISOString() : null;
}

/** @param lasts how long the session has had this status, in ms */
function faultOf(status: Status, { kind }: PodReading, lasts: number): PodFault | null {
  if (kind === 'unread') return null;
  if (status === 'deleted') return kind === 'gone' ? null : 'leaked';
  if (kind === 'gone') return 'gone';
  if (lasts <= SETTLING_MS) return null;
  if (status === 'sleeping' && kind === 'awake') return 'awake though asleep';
  return status === 'active' && kind === 'asleep' ? 'asleep though awake' : null;
}
