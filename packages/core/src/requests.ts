import { InvalidInput, SandmanError } from './errors.ts';
import type { Policy } from './policy.ts';
import type { ActivityKind, Cause, Patch, SessionRecord } from './session.ts';
import { HEALTHY, statusOf, TOMBSTONE_MS } from './session.ts';

/** What a request changes in a record. */
export interface Change {
  readonly patch: Patch;
  /** Whether work may be due earlier now, so that new alarms must be drawn. */
  readonly alarms: boolean;
}

/** The longest hold, in ms. */
const LONGEST_HOLD_MS = 24 * 3_600_000;
/** How long a `Retry-After` is obeyed while a user waits for a wake, in ms. */
export const USER_WAIT_MS = 15_000;

/**
 * Makes the session wanted awake. A `Retry-After` of an earlier sleep or delete counts for at most {@link USER_WAIT_MS}, so
 * that the user does not wait for longer.
 */
export function wakeUp(record: Pick<SessionRecord, 'notBefore'>, cause: Cause, now: number): Patch {
  return { wanted: 'awake', cause, ...HEALTHY, notBefore: Math.min(record.notBefore, now + USER_WAIT_MS) };
}

/**
 * Records activity at `at`, in ms; the future counts as now. It wakes a session that is wanted asleep, unless it is older
 * than the last sleep by hand or than the policy's idle time, as the contract says.
 *
 * @returns null for background activity of a session that is not wanted awake: it is not recorded and wakes nothing
 */
export function activity(record: SessionRecord, kind: ActivityKind, at: number, now: number, cause: Cause = 'activity'): Change | null {
  const when = Math.min(at, now);
  if (kind === 'background') {
    if (record.wanted !== 'awake') return null;
    return { patch: { lastBackground: Math.max(record.lastBackground, when) }, alarms: false };
  }
  const patch = { lastActivity: Math.max(record.lastActivity, when) };
  if (record.wanted !== 'asleep') return { patch, alarms: false };
  const idleAfter = record.policy.sleepAfter ?? record.policy.deleteAfter;
  const stale = when < record.manualSleepAt || (idleAfter !== null && when + idleAfter <= now);
  return stale ? { patch, alarms: false } : { patch: { ...patch, ...wakeUp(record, cause, now) }, alarms: true };
}

/** Puts the session to sleep now, and ends its hold. */
export function sleepByHand(record: SessionRecord, now: number): Change {
  const patch: Patch = { manualSleepAt: now, holdUntil: 0 };
  if (record.wanted === 'asleep') return { patch, alarms: false };
  return { patch: { ...patch, wanted: 'asleep', cause: 'manual', lostBefore: record.ingest.lost, ...HEALTHY }, alarms: true };
}

/**
 * Keeps the session awake until `until`, with or without activity, and wakes it if it sleeps.
 *
 * @param until ms, after `now` and at most 24 h ahead of it
 * @throws InvalidInput naming `field`
 */
export function hold(record: SessionRecord, until: number, now: number, field: string): Change {
  if (!(until > now && until <= now + LONGEST_HOLD_MS)) throw new InvalidInput(field, 'must end in the future and at most 24h ahead');
  const wake: Patch = record.wanted === 'asleep' ? wakeUp(record, 'manual', now) : {};
  return { patch: { ...wake, holdUntil: until }, alarms: true };
}

export function endHold(): Change {
  return { patch: { holdUntil: 0 }, alarms: true };
}

/** @param policyRank rank of the policies in force that `policy` was taken from */
export function changePolicy(policy: Policy, policyRank: number, now: number): Change {
  return { patch: { policy, policyRank, policyAt: now }, alarms: true };
}

/** Deletes the session now; null where it is being deleted already. */
export function remove(record: SessionRecord, cause: 'manual' | 'logout'): Change | null {
  return record.wanted === 'gone' ? null : { patch: { wanted: 'gone', cause, ...HEALTHY }, alarms: true };
}

/** Has the pod's status read because it may differ from the record: at once, or when an open doubt may end. */
export function verify(record: SessionRecord, now: number): Change {
  return { patch: { verifyAt: Math.max(record.verifyAt, now) }, alarms: true };
}

/**
 * Returns what a request changes that must not rely on what the record says of an awake pod: the pod's status is read, or the
 * pod is woken once more where an earlier call may still take effect on it.
 */
export function confirmAwake(record: SessionRecord, now: number): Patch {
  if (record.wanted !== 'awake' || record.pod !== 'awake') return {};
  return record.verifyAt > now ? { pod: 'unknown' } : { verifyAt: now };
}

/** Returns whether a read of the pod's status is due, because a doubt may end. */
export function isBeingChecked({ verifyAt }: SessionRecord, now: number): boolean {
  return verifyAt !== 0 && verifyAt <= now;
}

/** Does the same as {@link confirmAwake}, for a caller that does not wait for it: null where a status read is due already. */
export function checkAwake(record: SessionRecord, now: number): Change | null {
  const patch = isBeingChecked(record, now) ? {} : confirmAwake(record, now);
  return Object.keys(patch).length > 0 ? { patch, alarms: true } : null;
}

/** Returns whether the session is active, and either no doubt is open or its pod was woken at or after `since` (ms). */
export function isAwakeSince(record: SessionRecord, since: number): boolean {
  return statusOf(record) === 'active' && (record.verifyAt === 0 || record.wokenAt >= since);
}

/** What is known of a session when tracking starts. */
export interface Birth {
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  /** Rank of the policies in force that `policy` was taken from; left out where it is unknown. */
  readonly policyRank?: number;
  readonly cause: 'created' | 'adopted' | 'restored';
}

/** Forgets an earlier 404, because the session-manager has answered for the session since: a later 404 does not confirm it. */
export function found(record: SessionRecord): Change | null {
  return record.missingSince === 0 ? null : { patch: { missingSince: 0 }, alarms: false };
}

/**
 * Returns the initial record. An adopted pod is taken to be awake and verified at once. A doubt in the former record of this
 * uuid stays open, because a late call of that time would change this pod.
 */
export function birth({ userId, workspaceUrl, policy, policyRank = 0, cause }: Birth, former: SessionRecord | null, now: number): Patch {
  const verifyAt = former?.verifyAt ?? 0;
  return {
    userId,
    workspaceUrl,
    policy,
    cause,
    policyAt: 0,
    policyRank,
    createdAt: now,
    wanted: 'awake',
    pod: 'awake',
    lastActivity: now,
    lastBackground: 0,
    holdUntil: 0,
    wokenAt: 0,
    sleptAt: 0,
    manualSleepAt: 0,
    deletedAt: 0,
    action: '',
    token: '',
    actionUntil: 0,
    verifyAt: cause === 'adopted' ? Math.max(verifyAt, now) : verifyAt,
    ...HEALTHY,
    notBefore: 0,
    missingSince: 0,
    lostBefore: 0,
    rewound: 0,
    warnedOf: 0,
  };
}

/** Returns the tombstone that a deleted session leaves. */
export function burial(record: SessionRecord, cause: Cause, now: number): Patch {
  return {
    wanted: 'gone',
    pod: 'gone',
    cause,
    deletedAt: record.deletedAt || now,
    action: '',
    token: '',
    actionUntil: 0,
    ...HEALTHY,
    missingSince: 0,
  };
}

/**
 * Throws where the session does not exist or is deleted.
 *
 * @param deleting whether to accept a session that is still being deleted
 * @throws SandmanError `session-not-found`, `session-deleted`
 */
export function assertLive(record: SessionRecord | null, uuid: string, now: number, deleting = false): asserts record is SessionRecord {
  const status = record && statusOf(record);
  if (!record || (status === 'deleted' && now >= record.deletedAt + TOMBSTONE_MS)) {
    throw new SandmanError('session-not-found', `There is no session ${uuid}`);
  }
  if (status === 'deleted' || (status === 'deleting' && !deleting)) {
    throw new SandmanError('session-deleted', `Session ${uuid} is ${status}`);
  }
}
