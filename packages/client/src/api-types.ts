/**
 * What crosses the wire, as callers see it. `api-types.test.ts` holds it against the schemas that the API checks by and
 * describes itself with in `/openapi.json`.
 */

/** `500ms`, `90s`, `15m`, `24h`, `7d`; a bare number is milliseconds. From 1 ms to 365 d. */
export type Duration = string | number;

/** `user`: a person did it. `background`: a heartbeat or an open tab, which wakes nothing and postpones only up to the policy's cap. */
export type ActivityKind = 'user' | 'background';

export type Status = 'active' | 'falling-asleep' | 'sleeping' | 'waking' | 'deleting' | 'deleted';

/** Durations, or `never`. */
export interface Policy {
  /** `custom` where a caller gave durations of its own. */
  name: string;
  /** Idle time before sleep. */
  sleepAfter: string;
  /** Time asleep before delete; where `sleepAfter` is `never`, idle time before delete. */
  deleteAfter: string;
  /** How long after the user's own last activity background activity counts. */
  backgroundCap: string;
}

/** A policy's name, or durations of one's own. */
export type AskedPolicy = string | { sleepAfter: Duration; deleteAfter: Duration; backgroundCap?: Duration | undefined };

/** Times are ISO 8601, UTC, with milliseconds; what does not apply is null. */
export interface Session {
  uuid: string;
  userId: string;
  workspaceUrl: string | null;
  status: Status;
  policy: Policy;
  createdAt: string;
  /** The user's own. */
  lastActivity: string;
  /** When it will sleep, if nobody comes. */
  sleepAt: string | null;
  sleptAt: string | null;
  /** When it will be deleted, if nobody comes. */
  deleteAt: string | null;
  holdUntil: string | null;
  /** While calls for it to the session-manager keep failing. */
  problem: { since: string; failures: number; lastError: string } | null;
}

export interface SessionPage {
  items: Session[];
  /** Of the next page; null after the last. */
  nextCursor: string | null;
}

/** When it happened, and who did it. */
export interface ActivityTime {
  /** A time in the future counts as now, which is the default; one in the past never moves anything backwards. */
  at?: Date | string | undefined;
  /** `user` by default. */
  kind?: ActivityKind | undefined;
}

/** How long from now, or until when; at most 24 h ahead. */
export type HoldEnd = { for: Duration } | { until: Date | string };

/** One change of a session's status, and why: `created`, `adopted`, `activity`, `idle`, `manual`, `logout`, `delete-due`, `gone`, `restored`. */
export interface Change {
  at: string;
  /** Null where the session began. */
  from: Status | null;
  to: Status;
  cause: string;
}

export interface Policies {
  /** The name of the one that a session gets where none is asked for. */
  default: string;
  items: Policy[];
}

export interface Saved {
  awakeSeconds: number;
  asleepSeconds: number;
  /** Of each pod from its creation until now, deleted or not. */
  alwaysOnSeconds: number;
  /** 1 − awake / always-on. */
  savedFraction: number;
  sleeps: number;
  wakes: number;
  /** Sessions woken within 5 minutes of an idle sleep. */
  regrets: number;
  /** Where Sandman was told what a pod costs. */
  cost?: { awake: number; saved: number };
}

/** What became of the time between activities. */
export interface Spent extends Saved {
  deletes: number;
  /** The user came back to a deleted pod. */
  recreations: number;
}

/** What a policy would have made of it. */
export interface Shadow extends Spent {
  /** What the sessions' own made of the same time. */
  asIs: Spent;
}

export interface Savings extends Saved {
  byPolicy: Record<string, Saved>;
  /** By the names of policies that are tried beside the real ones. */
  shadows?: Record<string, Shadow>;
}

/** What a batch of activity came to. */
export interface BatchAnswer {
  accepted: number;
  rejected: { index: number; code: string }[];
}
