import type { Intake } from './intake.ts';
import type { Policy } from './policy.ts';

export type Wanted = 'awake' | 'asleep' | 'gone';
export type Pod = Wanted | 'unknown';
export const LIVE_STATUSES = ['active', 'falling-asleep', 'sleeping', 'waking', 'deleting'] as const;
export type LiveStatus = (typeof LIVE_STATUSES)[number];
export const STATUSES = [...LIVE_STATUSES, 'deleted'] as const;
export type Status = (typeof STATUSES)[number];
export type Cause = 'created' | 'adopted' | 'activity' | 'idle' | 'manual' | 'logout' | 'delete-due' | 'gone' | 'restored';
/** Lifecycle calls that change a pod. */
export const CHANGES = ['sleep', 'wake', 'delete'] as const;
export type PodChange = (typeof CHANGES)[number];
/** All lifecycle calls; `status` only reads. */
export const ACTIONS = [...CHANGES, 'status'] as const;
export type Action = (typeof ACTIONS)[number];
export const ACTIVITY_KINDS = ['user', 'background'] as const;
export type ActivityKind = (typeof ACTIVITY_KINDS)[number];

/** All that Sandman knows of a session. Times are ms of the shard's Redis clock; 0 stands for "none". */
export interface SessionRecord {
  readonly uuid: string;
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  /** When the policy was last changed. */
  readonly policyAt: number;
  /** Rank of the policies in force that the policy was taken from ({@link rankOf}): older ones do not change it. */
  readonly policyRank: number;
  readonly createdAt: number;

  /** What should be. */
  readonly wanted: Wanted;
  /** What is, as far as we know. */
  readonly pod: Pod;
  /** Why `wanted` is what it is. */
  readonly cause: Cause;

  /** When the user was last active; background activity is separate. */
  readonly lastActivity: number;
  readonly lastBackground: number;
  readonly holdUntil: number;
  /** Until when the session is not deleted. */
  readonly keepUntil: number;
  /** When a delete that was requested with a grace is due; `cause` is that of the request. The user's return clears it. */
  readonly graceUntil: number;
  /** No idle delete before this, because a change of the policy made it due at once. */
  readonly noticeUntil: number;
  /** When the last wake ended. It counts as activity, because the user waited for it. */
  readonly wokenAt: number;
  /** When the pod fell asleep. */
  readonly sleptAt: number;
  /** When the session was last put to sleep by hand. */
  readonly manualSleepAt: number;
  readonly deletedAt: number;

  /** Raised by every write; decisions are committed against it. */
  readonly rev: number;
  /** The alarm number: jobs that carry an older one are void. */
  readonly n: number;
  /** The activity that each alarm's time reflects. Activity that is later by more than the slack moves the alarm. */
  readonly sleepAnchor: number;
  readonly deleteAnchor: number;

  /** The lifecycle call in flight, its token, and the end of its lease. */
  readonly action: Action | '';
  readonly token: string;
  readonly actionUntil: number;
  /** The doubt that is open: only a status read at or after this time ends it. */
  readonly verifyAt: number;

  readonly failures: number;
  readonly failingSince: number;
  readonly lastError: string;
  /** The end of Sandman's own backoff. Void once something else is wanted. */
  readonly retryAt: number;
  /** The end of the session-manager's `Retry-After`, which is obeyed whatever is wanted. */
  readonly notBefore: number;
  /** When the session-manager first answered 404 for this session after its last other definite answer. */
  readonly missingSince: number;

  /** The shard's lost time when the session was last put to sleep. Time lost since then moves its delete later. */
  readonly lostBefore: number;
  /** The last `intake.rewoundAt` because of which this session was verified. */
  readonly rewound: number;
  /** The `sleepAt` of the last warning that was sent. */
  readonly warnedOf: number;
  /** The `deleteAt` of the last warning that was sent. */
  readonly deleteWarnedOf: number;
  /** The intake of the shard. It is read with the record, and is not part of it. */
  readonly intake: Intake;
}

/** The fields that a commit changes. */
export type Patch = Partial<Omit<SessionRecord, 'uuid' | 'rev' | 'n' | 'intake'>>;

const SHOWN: Record<Wanted, Record<Pod, Status>> = {
  awake: { awake: 'active', asleep: 'waking', unknown: 'waking', gone: 'deleted' },
  asleep: { awake: 'falling-asleep', unknown: 'falling-asleep', asleep: 'sleeping', gone: 'deleted' },
  gone: { awake: 'deleting', asleep: 'deleting', unknown: 'deleting', gone: 'deleted' },
};

export function statusOf(record: Pick<SessionRecord, 'wanted' | 'pod'>): Status {
  return SHOWN[record.wanted][record.pod];
}

/** How long the tombstone of a deleted session is kept, in ms. */
export const TOMBSTONE_MS = 24 * 3_600_000;

/** The form of a session's uuid. */
export const UUID = /^[A-Za-z0-9_-]{1,64}$/;

/** Ends a streak of failed calls, because a call succeeded or something else is wanted now. */
export const HEALTHY = { failures: 0, failingSince: 0, lastError: '', retryAt: 0 } as const;
