/**
 * Types of the API's requests and answers. `api-types.test.ts` compares them with the schemas that the API validates with
 * and publishes in `/openapi.json`.
 */

/** `500ms`, `90s`, `15m`, `24h`, `7d`; a bare number is milliseconds. From 1 ms to 365 d. */
export type Duration = string | number;

/** `user`: a person acted. `background`: an agent or an open tab; wakes nothing, and postpones sleep only up to `backgroundCap`. */
export type ActivityKind = 'user' | 'background';

export type Status = 'active' | 'falling-asleep' | 'sleeping' | 'waking' | 'deleting' | 'deleted';

/** Each time is a duration or `never`. */
export interface Policy {
  /** `custom` if the caller gave durations instead of a name. */
  name: string;
  /** Idle time before sleep. */
  sleepAfter: string;
  /** Time asleep before delete; if `sleepAfter` is `never`, idle time before delete. */
  deleteAfter: string;
  /** How long after the user's last activity background activity still postpones sleep. */
  backgroundCap: string;
}

/** A policy's name, or the durations of a custom policy. */
export type AskedPolicy = string | { sleepAfter: Duration; deleteAfter: Duration; backgroundCap?: Duration | undefined };

/** Times are ISO 8601, UTC, with milliseconds. A field that does not apply is null. */
export interface Session {
  uuid: string;
  userId: string;
  workspaceUrl: string | null;
  status: Status;
  policy: Policy;
  createdAt: string;
  /** The user's last activity; background activity does not change it. */
  lastActivity: string;
  /** When it will be put to sleep if no activity arrives. */
  sleepAt: string | null;
  sleptAt: string | null;
  /** When it will be deleted if no activity arrives. */
  deleteAt: string | null;
  holdUntil: string | null;
  /** Set while calls to the session-manager for this session keep failing. */
  problem: { since: string; failures: number; lastError: string } | null;
}

export interface SessionPage {
  items: Session[];
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** When an activity happened, and what kind it is. */
export interface ActivityTime {
  /** Now by default. A time in the future counts as now; one in the past never moves anything backwards. */
  at?: Date | string | undefined;
  /** `user` by default. */
  kind?: ActivityKind | undefined;
}

/** The end of a hold: a duration from now, or a time. At most 24 h ahead. */
export type HoldEnd = { for: Duration } | { until: Date | string };

/**
 * A change of a session's status. Its cause is `created`, `adopted`, `activity`, `idle`, `manual`, `logout`, `delete-due`,
 * `gone` or `restored`.
 */
export interface Change {
  at: string;
  /** Null for the first change of a session. */
  from: Status | null;
  to: Status;
  cause: string;
}

export interface Policies {
  /** The name of the policy of a session that is created without one. */
  default: string;
  items: Policy[];
}

export interface Saved {
  awakeSeconds: number;
  asleepSeconds: number;
  /** The time from each pod's creation until now, as if none were ever put to sleep or deleted. */
  alwaysOnSeconds: number;
  /** 1 − awake / always-on. */
  savedFraction: number;
  sleeps: number;
  wakes: number;
  /** Sessions woken within 5 minutes of an idle sleep. */
  regrets: number;
  /** Present only if Sandman is configured with the cost of a pod. */
  cost?: { awake: number; saved: number };
}

/** Usage under a policy, counted over the periods between activities. */
export interface Spent extends Saved {
  deletes: number;
  /** How often a user came back after the pod had been deleted. */
  recreations: number;
}

/** What a shadow policy would have done in these periods. */
export interface Shadow extends Spent {
  /** What the sessions' real policies did in the same periods. */
  asIs: Spent;
}

export interface Savings extends Saved {
  byPolicy: Record<string, Saved>;
  /** Results of the shadow policies, by name. */
  shadows?: Record<string, Shadow>;
}

/** The result of a batch of activity. */
export interface BatchAnswer {
  accepted: number;
  rejected: { index: number; code: string }[];
}
