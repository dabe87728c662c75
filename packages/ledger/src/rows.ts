import { describePolicy, isKept, type LiveReading, type Policy, type PolicyText, type Status, statusOf } from '@sandman/core';
import type { EventsTable, SessionsTable } from './schema.ts';

/** A session as the ledger has it. Times in ms, 0 for "none". */
export interface LedgerSession {
  readonly uuid: string;
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly status: Status;
  readonly createdAt: number;
  readonly lastActivity: number;
  readonly sleptAt: number;
  /** A policy's name, or the durations of a custom one. Empty if the session is known only from events. */
  readonly policy: string | PolicyText;
  /** Until when the session is not deleted. */
  readonly keepUntil: number;
  /** The shard's Redis clock when the record was read. */
  readonly updatedAt: number;
  readonly rev: number;
}

/** A change of status, as the ledger has it. Times in ms, 0 for "none". */
export interface LedgerEvent {
  /** Made of the shard and the event's place in its stream, so a change that is read twice has the same id. */
  readonly id: string;
  readonly uuid: string;
  readonly userId: string;
  readonly at: number;
  /** Empty for the first change of a session. */
  readonly from: Status | '';
  readonly to: Status;
  readonly cause: string;
  readonly lastActivity: number;
}

/** A change of status, as the ledger returns it. */
export type LedgerChange = Omit<LedgerEvent, 'userId'>;

/** Longest text that every database takes, in UTF-16 units: MySQL's `text` ends at 65,535 bytes. */
const LONGEST_TEXT = 16_000;

/** Replaces NUL, which PostgreSQL refuses, and shortens. A refused row would hold up all rows after it. */
function storableText(text: string): string {
  return text.replaceAll('\0', '\u{FFFD}').slice(0, LONGEST_TEXT);
}

function policyColumn(policy: Policy): string | PolicyText {
  const { name, ...durations } = describePolicy(policy);
  return name === 'custom' ? durations : name;
}

/** Returns the row that the ledger should have for a record. */
export function sessionOf({ record, now }: LiveReading): LedgerSession {
  const { uuid, userId, workspaceUrl, policy, createdAt, lastActivity, sleptAt, rev } = record;
  return {
    uuid,
    userId: storableText(userId),
    workspaceUrl: storableText(workspaceUrl),
    status: statusOf(record),
    createdAt,
    lastActivity,
    sleptAt,
    policy: policyColumn(policy),
    keepUntil: isKept(record, now) ? record.keepUntil : 0,
    updatedAt: now,
    rev,
  };
}

function dateOrNull(ms: number): Date | null {
  return ms === 0 ? null : new Date(ms);
}

export function sessionRow(session: LedgerSession): SessionsTable {
  const { policy } = session;
  return {
    uuid: session.uuid,
    user_id: session.userId,
    workspace_url: session.workspaceUrl,
    status: session.status,
    created_at: new Date(session.createdAt),
    last_activity: new Date(session.lastActivity),
    slept_at: dateOrNull(session.sleptAt),
    policy: typeof policy === 'string' ? policy : JSON.stringify(policy),
    keep_until: dateOrNull(session.keepUntil),
    updated_at: new Date(session.updatedAt),
    rev: session.rev,
  };
}

export function eventRow({ id, uuid, at, from, to, cause, lastActivity }: LedgerEvent): EventsTable {
  const last = dateOrNull(lastActivity);
  return { id, uuid, at: new Date(at), from_status: from || null, to_status: to, cause, last_activity: last };
}

export function readSession(row: SessionsTable): LedgerSession {
  const { policy } = row;
  return {
    uuid: row.uuid,
    userId: row.user_id,
    workspaceUrl: row.workspace_url,
    status: row.status as Status,
    createdAt: row.created_at.getTime(),
    lastActivity: row.last_activity.getTime(),
    sleptAt: row.slept_at?.getTime() ?? 0,
    // A policy's name begins with a letter or a digit.
    policy: policy.startsWith('{') ? (JSON.parse(policy) as PolicyText) : policy,
    keepUntil: row.keep_until?.getTime() ?? 0,
    updatedAt: row.updated_at.getTime(),
    // The drivers may return a BIGINT as text.
    rev: Number(row.rev),
  };
}

/** A row's `lastActivity` is corrected in steps of this, in ms; otherwise every ping would write a row. */
const STEP_MS = 60_000;

/** Tells whether a row is missing, differs, or is off by a step of activity or more. */
export function isOutdated(row: LedgerSession | undefined, session: LedgerSession): boolean {
  if (!row || Math.abs(row.lastActivity - session.lastActivity) >= STEP_MS) return true;
  const said = ({ lastActivity, updatedAt, rev, ...rest }: LedgerSession) =>
    JSON.stringify(sessionRow({ ...rest, lastActivity: 0, updatedAt: 0, rev: 0 }));
  return said(row) !== said(session);
}

export function readChange({ id, uuid, at, from_status, to_status, cause, last_activity }: EventsTable): LedgerChange {
  const [from, to] = [(from_status ?? '') as Status | '', to_status as Status];
  return { id, uuid, at: at.getTime(), from, to, cause, lastActivity: last_activity?.getTime() ?? 0 };
}
