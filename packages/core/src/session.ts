import type { Ingest } from './ingest.ts';
import type { Policy } from './policy.ts';

export type Wanted = 'awake' | 'asleep' | 'gone';
export type Pod = Wanted | 'unknown';
export const LIVE_STATUSES = ['active', 'falling-asleep', 'sleeping', 'waking', 'deleting'] as const;
export type LiveStatus = (typeof LIVE_STATUSES)[number];
export const STATUSES = [...LIVE_STATUSES, 'deleted'] as const;
export type Status = (typeof STATUSES)[number];
export type Cause = 'created' | 'adopted' | 'activity' | 'idle' | 'manual' | 'logout' | 'delete-due' | 'gone' | 'restored';
/** The calls that change a pod. */
export const CHANGES = ['sleep', 'wake', 'delete'] as const;
/** `status` only asks. */
export const ACTIONS = [...CHANGES, 'status'] as const;
export type Action = (typeof ACTIONS)[number];
export const ACTIVITY_KINDS = ['user', 'background'] as const;
export type ActivityKind = (typeof ACTIVITY_KINDS)[number];

/** All that is known of a session. Times are ms of the shard's Redis clock; 0 stands for "none". */
export interface SessionRecord {
  readonly uuid: string;
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  /** When the policy was last changed. */
  readonly policyAt: number;
  /** Of the policies in force that it was taken from ({@link rankOf}): older ones do not change it. */
  readonly policyRank: number;
  readonly createdAt: number;

  /** What should be. */
  readonly wanted: Wanted;
  /** What is, as far as we know. */
  readonly pod: Pod;
  /** Why `wanted` is what it is. */
  readonly cause: Cause;

  /** The user's own. */
  readonly lastActivity: number;
  readonly lastBackground: number;
  readonly holdUntil: number;
  /** When the last wake ended: as good as activity, because the user waited for it. */
  readonly wokenAt: number;
  /** When the pod fell asleep. */
  readonly sleptAt: number;
  /** When somebody last put it to sleep by hand. */
  readonly manualSleepAt: number;
  readonly deletedAt: number;

  /** Raised by every write; decisions are committed against it. */
  readonly rev: number;
  /** The alarm number: jobs that carry an older one are void. */
  readonly n: number;
  /** The activity that each alarm's place reflects: a later one moves it when it is later by more than the slack. */
  readonly sleepAnchor: number;
  readonly deleteAnchor: number;

  /** The lifecycle call in flight, its owner's token and its lease. */
  readonly action: Action | '';
  readonly token: string;
  readonly actionUntil: number;
  /** An open doubt: only a status read at or after this instant ends it. */
  readonly verifyAt: number;

  readonly failures: number;
  readonly failingSince: number;
  readonly lastError: string;
  /** Our own back-off. Void once something else is wanted. */
  readonly retryAt: number;
  /** Until when the session-manager's `Retry-After` is obeyed, whatever is wanted. */
  readonly notBefore: number;
  /** When it first answered 404 for this session, since it last gave another definite answer. */
  readonly missingSince: number;

  /** The shard's `ingest.lost` when it was last wanted asleep: what was lost since moves its delete out. */
  readonly lostBefore: number;
  /** The last `ingest.rewound` that this record was put in doubt for. */
  readonly rewound: number;
  /** The `sleepAt` that somebody was last warned of. */
  readonly warnedOf: number;
  /** The shard's, beside each of its records. */
  readonly ingest: Ingest;
}

/** What a commit changes. */
export type Patch = Partial<Omit<SessionRecord, 'uuid' | 'rev' | 'n' | 'ingest'>>;

const SHOWN: Record<Wanted, Record<Pod, Status>> = {
  awake: { awake: 'active', asleep: 'waking', unknown: 'waking', gone: 'deleted' },
  asleep: { awake: 'falling-asleep', unknown: 'falling-asleep', asleep: 'sleeping', gone: 'deleted' },
  gone: { awake: 'deleting', asleep: 'deleting', unknown: 'deleting', gone: 'deleted' },
};

export function statusOf(record: Pick<SessionRecord, 'wanted' | 'pod'>): Status {
  return SHOWN[record.wanted][record.pod];
}

/** How long a deleted session is remembered, in ms. */
export const TOMBSTONE_MS = 24 * 3_600_000;

/** The form of a session's uuid. */
export const UUID = /^[A-Za-z0-9_-]{1,64}$/;

/** The end of a streak of failures: a call succeeded, or something else is wanted now. */
export const HEALTHY = { failures: 0, failingSince: 0, lastError: '', retryAt: 0 } as const;
