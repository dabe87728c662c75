import { type SessionRecord, type Status, statusOf } from '@sandman/core';
import type { LedgerSession } from '@sandman/ledger';
import type { PodReading } from './status-reader.ts';

/** What is wrong with a pod. */
export type Fault =
  /** It is there, though the session is deleted. */
  | 'leaked'
  /** It is not there, though the session lives. */
  | 'gone'
  /** It runs, though the session has been asleep for a while. */
  | 'awake though asleep'
  /** It sleeps, though the session has been active for a while. */
  | 'asleep though awake';

export interface Finding {
  readonly uuid: string;
  readonly userId: string;
  /** What the session should be. */
  readonly status: Status;
  readonly fault: Fault;
}

/** A session that changed its status within this time, in ms, may be changing again: it is no finding yet. */
const JUST_SO_MS = 60_000;

/**
 * What is wrong, by the record where Redis has one, for that is the truth and the ledger follows it; else by the ledger.
 *
 * @param now ms
 */
export function findingOf(session: LedgerSession, record: SessionRecord | null, reading: PodReading, now: number): Finding | null {
  const status = record ? statusOf(record) : session.status;
  // When it awoke only the record tells.
  const awakeSince = Math.max(session.createdAt, record?.wokenAt ?? 0);
  const since = status === 'active' ? awakeSince : record ? record.sleptAt : session.sleptAt;
  const fault = faultOf(status, reading, now - since);
  return fault && { uuid: session.uuid, userId: session.userId, status, fault };
}

/** @param lasts how long it has had that status, in ms */
function faultOf(status: Status, { kind }: PodReading, lasts: number): Fault | null {
  if (kind === 'unread') return null;
  if (status === 'deleted') return kind === 'gone' ? null : 'leaked';
  if (kind === 'gone') return 'gone';
  if (lasts <= JUST_SO_MS) return null;
  if (status === 'sleeping' && kind === 'awake') return 'awake though asleep';
  return status === 'active' && kind === 'asleep' ? 'asleep though awake' : null;
}
