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
  | 'awake though asleep';

export interface Finding {
  readonly uuid: string;
  readonly userId: string;
  /** What the session should be. */
  readonly status: Status;
  readonly fault: Fault;
}

/** Whoever fell asleep so shortly ago may be about to wake, in ms. */
const JUST_ASLEEP_MS = 60_000;

/**
 * What is wrong, by the record where Redis has one, for that is the truth and the ledger follows it; else by the ledger.
 *
 * @param now ms
 */
export function findingOf(session: LedgerSession, record: SessionRecord | null, reading: PodReading, now: number): Finding | null {
  const status = record ? statusOf(record) : session.status;
  const sleptAt = record ? record.sleptAt : session.sleptAt;
  const fault = faultOf(status, reading, now - sleptAt);
  return fault && { uuid: session.uuid, userId: session.userId, status, fault };
}

function faultOf(status: Status, { kind }: PodReading, asleepFor: number): Fault | null {
  if (kind === 'unread') return null;
  if (status === 'deleted') return kind === 'gone' ? null : 'leaked';
  if (kind === 'gone') return 'gone';
  return status === 'sleeping' && kind === 'awake' && asleepFor > JUST_ASLEEP_MS ? 'awake though asleep' : null;
}
