import type { Saved, Session } from '@sandman/contracts';
import type { AlarmName, LiveStatus } from '@sandman/core';

/** What the page is told. Times are ISO 8601 where a session has them, else ms. */

export type Role = 'operator' | 'viewer';

/** Somebody who has logged in. */
export interface Identity {
  readonly user: string;
  readonly role: Role;
  /** When that is over, in ms of the epoch. */
  readonly until: number;
}

/** Something that an operator should know of, the worst first. */
export interface Trouble {
  readonly level: 'bad' | 'warn';
  readonly what: string;
  /** The alert of docs/operations.md that says what to do. */
  readonly alert: string;
}

export interface Overview {
  /** Redis' clock. */
  readonly now: number;
  readonly identity: Identity;
  readonly troubles: readonly Trouble[];
  readonly sessions: Readonly<Record<LiveStatus, number>>;
  /** Alarms due and not done. */
  readonly backlog: Readonly<Record<AlarmName, number>>;
  /** Those that live, and of them those that do not call the session-manager. */
  readonly workers: { readonly alive: number; readonly barred: number };
  /** Sessions whose calls to the session-manager fail. */
  readonly failing: number;
  readonly sweep: {
    /** Since some worker last finished a visit; null: none has. */
    readonly visitedAgo: number | null;
    /** Sessions that had lost their alarms within the last 24 h, at least. */
    readonly repairs: number;
    readonly last: { readonly at: number; readonly kind: string; readonly uuid: string } | null;
  };
  /** Since an API last said, in the shard where that is longest ago, that pings can be taken; null: never. */
  readonly beatAgo: number | null;
  readonly pods: { readonly awake: number; readonly asleep: number };
  readonly savings: Saved;
  /** What will happen next, soonest first. */
  readonly next: readonly Upcoming[];
}

export interface Upcoming {
  readonly uuid: string;
  readonly userId: string;
  readonly what: 'sleep' | 'delete';
  readonly at: string;
}

export interface SessionPage {
  readonly items: readonly Session[];
  readonly nextCursor: string | null;
}

export interface Change {
  readonly at: string;
  readonly from: string | null;
  readonly to: string;
  readonly cause: string;
}

/** A job that stands for a session, and where Bull Board shows it. */
export interface Alarm {
  readonly name: AlarmName;
  /** When it rings, in ms; 0 where it waits or runs. Not what Bull Board says, which does not know of moves. */
  readonly at: number;
  readonly path: string;
}

/** The session that is looked at; null where there is none of that name. */
export interface Opened {
  readonly uuid: string;
  readonly session: Session | null;
  readonly alarms: readonly Alarm[];
  /** Newest first. */
  readonly history: readonly Change[];
}

/** One point of the charts; times in ms. */
export interface TrendPoint {
  readonly at: number;
  readonly awake: number;
  readonly asleep: number;
  readonly awakeMs: number;
  readonly alwaysOnMs: number;
}
