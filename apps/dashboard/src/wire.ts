import type { Saved, Session } from '@sandman/contracts';
import type { AlarmName, LiveStatus } from '@sandman/core';

/** What the server sends to the page. Times of a session are ISO 8601; all others are in ms. */

export type Role = 'operator' | 'viewer';

/** A logged-in user. */
export interface Identity {
  readonly user: string;
  readonly role: Role;
  /** When the login expires, in ms of the epoch. */
  readonly until: number;
}

/** A problem that an operator should know about. */
export interface HealthIssue {
  readonly level: 'bad' | 'warn';
  readonly what: string;
  /** The alert in docs/operations.md that says what to do. */
  readonly alert: string;
}

export interface Overview {
  /** The time by Redis' clock, in ms. */
  readonly now: number;
  readonly identity: Identity;
  readonly troubles: readonly HealthIssue[];
  readonly sessions: Readonly<Record<LiveStatus, number>>;
  /** Alarms that are due and not done. */
  readonly backlog: Readonly<Record<AlarmName, number>>;
  /** Live workers, and how many of them make no calls to the session-manager. */
  readonly workers: { readonly alive: number; readonly barred: number };
  /** The number of sessions whose calls to the session-manager fail. */
  readonly failing: number;
  readonly sweep: {
    /** How long ago a worker last finished a visit, in ms; null: never. */
    readonly visitedAgo: number | null;
    /** Repairs within the last 24 h; at least this many, since only the last 100 entries are kept. */
    readonly repairs: number;
    readonly last: { readonly at: number; readonly kind: string; readonly uuid: string } | null;
  };
  /** How long ago the last heartbeat was, in the shard where that is longest, in ms; null: some shard has had none. */
  readonly beatAgo: number | null;
  readonly pods: { readonly awake: number; readonly asleep: number };
  readonly savings: Saved;
  /** The next sleeps and deletes, the soonest first. */
  readonly next: readonly Upcoming[];
}

export interface Upcoming {
  readonly uuid: string;
  readonly userId: string;
  readonly what: 'sleep' | 'delete';
  readonly at: string;
}

/** A session as the page shows it. */
export interface ShownSession extends Session {
  /** Whether a delete with a grace was requested: the session is deleted at `deleteAt` unless its user comes back. */
  readonly inGrace: boolean;
}

export interface SessionPage {
  readonly items: readonly ShownSession[];
  readonly nextCursor: string | null;
}

export interface HistoryEntry {
  readonly at: string;
  readonly from: string | null;
  readonly to: string;
  readonly cause: string;
}

/** An alarm of a session, and the path at which Bull Board shows its job. */
export interface SessionAlarm {
  readonly name: AlarmName;
  /** When it rings, in ms of the epoch; 0 if it is waiting or running. Bull Board shows a wrong time for an alarm that was moved. */
  readonly at: number;
  readonly path: string;
}

/** The session that is open on the page; `session` is null if there is none with this uuid. */
export interface SessionDetails {
  readonly uuid: string;
  readonly session: ShownSession | null;
  readonly alarms: readonly SessionAlarm[];
  /** The newest first. */
  readonly history: readonly HistoryEntry[];
}

/** One point of the charts. Times in ms. */
export interface TrendPoint {
  readonly at: number;
  readonly awake: number;
  readonly asleep: number;
  readonly awakeMs: number;
  readonly alwaysOnMs: number;
}
