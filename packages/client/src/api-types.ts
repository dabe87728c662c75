/**
 * Types of the API's answers. `npm run client:types` writes this file from the schemas of packages/contracts, which the API
 * validates with and publishes in `/openapi.json`. Do not edit it.
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

/** Times are ISO 8601, UTC, with milliseconds. A field that does not apply is null. */
export interface Session {
  uuid: string;
  userId: string;
  workspaceUrl: string | null;
  status: Status;
  policy: Policy;
  /** ISO 8601, UTC, with milliseconds. */
  createdAt: string;
  /** The user's last activity; background activity does not change it. */
  lastActivity: string;
  /** When it will be put to sleep if no activity arrives. */
  sleepAt: string | null;
  sleptAt: string | null;
  /** When it will be deleted if no activity arrives. */
  deleteAt: string | null;
  holdUntil: string | null;
  /** Until when it is not deleted. */
  keepUntil: string | null;
  /** Set while calls to the session-manager for this session keep failing. */
  problem: { since: string; failures: number; lastError: string } | null;
}

export interface SessionPage {
  items: Session[];
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** A change of a session's status. */
export interface Change {
  /** ISO 8601, UTC, with milliseconds. */
  at: string;
  /** Null for the first change of a session. */
  from: Status | null;
  to: Status;
  /** `created`, `adopted`, `activity`, `idle`, `manual`, `logout`, `delete-due`, `gone` or `restored`. */
  cause: string;
}

/** `deleteAfter` decides what a user finds who returns after a weekend. The preset `balanced` deletes a pod that has slept for 24 h, and `aggressive` one that has slept for 1 h: a user who leaves on Friday finds it deleted on Monday. `conservative` keeps it for 7 days, and `{"sleepAfter": "15m", "deleteAfter": "30d"}` for a month. */
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
export interface Spent {
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
  deletes: number;
  /** How often a user came back after the pod had been deleted. */
  recreations: number;
}

/** What a shadow policy would have done in these periods. `asIs` is what the sessions' real policies did in them. */
export interface Shadow {
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
  deletes: number;
  /** How often a user came back after the pod had been deleted. */
  recreations: number;
  asIs: Spent;
}

export interface Savings {
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
  byPolicy: Record<string, Saved>;
  /** Results of the shadow policies, by name. */
  shadows?: Record<string, Shadow>;
}

/** The result of a batch of activity. */
export interface BatchAnswer {
  accepted: number;
  rejected: { index: number; code: string }[];
}

/** The body of a POST to `WEBHOOK_URL`. It may arrive late, or twice with the same `webhook-id`. */
export interface WebhookEvent {
  type: 'session.sleep-warning' | 'session.delete-warning' | 'session.slept' | 'session.woken' | 'session.deleted' | 'session.gone';
  /** When it happened: ISO 8601, UTC, with milliseconds. */
  timestamp: string;
  data: { session: Session; cause?: string };
}
