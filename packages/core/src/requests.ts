import { deadlines } from './deadlines.ts';
import { InvalidInput, SandmanError } from './errors.ts';
import type { Policy } from './policy.ts';
import type { ActivityKind, Cause, Patch, SessionRecord } from './session.ts';
import { HEALTHY, statusOf, TOMBSTONE_MS } from './session.ts';

/** What a request changes in a record. */
export interface RequestEffect {
  readonly patch: Patch;
  /** Whether work may be due earlier now, so that new alarms must be drawn. */
  readonly alarms: boolean;
}

const DAY_MS = 24 * 3_600_000;
/** The longest hold, keep and grace, in ms. */
const LONGEST_HOLD_MS = DAY_MS;
export const LONGEST_KEEP_MS = 3_650 * DAY_MS;
export const LONGEST_GRACE_MS = 30 * DAY_MS;
/** The least time that a change of the policy leaves a session whose delete it makes due, in ms. */
const LEAST_NOTICE_MS = 3_600_000;
/** How long a `Retry-After` is obeyed while a user waits for a wake, in ms. */
export const USER_WAIT_MS = 15_000;

/**
 * Makes the session wanted awake, which cancels a delete with a grace. A `Retry-After` of an earlier sleep or delete counts for at most {@link USER_WAIT_MS}, so
 * that the user does not wait for longer.
 */
export function wakeUp(record: Pick<SessionRecord, 'notBefore'>, cause: Cause, now: number): Patch {
  return { wanted: 'awake', cause, ...HEALTHY, graceUntil: 0, noticeUntil: 0, notBefore: Math.min(record.notBefore, now + USER_WAIT_MS) };
}

/**
 * Records activity at `at`, in ms; the future counts as now. It wakes a session that is wanted asleep, unless it is older
 * than the last sleep by hand or than the policy's idle time, as the contract says.
 *
 * @returns null for background activity of a session that is not wanted awake: it is not recorded and wakes nothing
 */
export function activity(
  record: SessionRecord,
  kind: ActivityKind,
  at: number,
  now: number,
  cause: Cause = 'activity',
): RequestEffect | null {
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

/** Why a caller asks for a sleep or a delete. */
export type RequestCause = Extract<Cause, 'manual' | 'logout'>;

/** Puts the session to sleep now, and ends its hold. */
export function sleepByHand(record: SessionRecord, now: number, cause: RequestCause = 'manual'): RequestEffect {
  const patch: Patch = { manualSleepAt: now, holdUntil: 0 };
  if (record.wanted === 'asleep') return { patch, alarms: false };
  // A pod that still sleeps, because its wake failed, sleeps anew. Its delete could be overdue otherwise.
  const asleep: Patch = record.pod === 'asleep' ? { sleptAt: now } : {};
  const wanted: Patch = { wanted: 'asleep', cause, graceUntil: 0, lostBefore: record.intake.lostTime, ...HEALTHY };
  return { patch: { ...patch, ...asleep, ...wanted }, alarms: true };
}

/**
 * Keeps the session awake until `until`, with or without activity, and wakes it if it sleeps.
 *
 * @param until ms, after `now` and at most 24 h ahead of it
 * @throws InvalidInput naming `field`
 */
export function hold(record: SessionRecord, until: number, now: number, field: string): RequestEffect {
  if (!(until > now && until <= now + LONGEST_HOLD_MS)) throw new InvalidInput(field, 'must end in the future and at most 24h ahead');
  const wake: Patch = record.wanted === 'asleep' ? wakeUp(record, 'manual', now) : {};
  return { patch: { ...wake, holdUntil: until }, alarms: true };
}

export function endHold(): RequestEffect {
  return { patch: { holdUntil: 0 }, alarms: true };
}

/**
 * Protects the session from deletion until `until`.
 *
 * @param until ms, after `now` and at most 3650 d ahead of it
 * @throws InvalidInput naming `field`
 */
export function keep(until: number, now: number, field: string): RequestEffect {
  if (!(until > now && until <= now + LONGEST_KEEP_MS)) throw new InvalidInput(field, 'must end in the future and at most 3650d ahead');
  return { patch: { keepUntil: until }, alarms: true };
}

export function endKeep(): RequestEffect {
  return { patch: { keepUntil: 0 }, alarms: true };
}

export function isKept({ keepUntil }: SessionRecord, now: number): boolean {
  return keepUntil > now;
}

/** @param policyRank rank of the policies in force that `policy` was taken from */
export function changePolicy(record: SessionRecord, policy: Policy, policyRank: number, now: number): RequestEffect {
  const { deleteAt } = deadlines({ ...record, policy, noticeUntil: 0, keepUntil: 0 });
  // An awake session sleeps first, and its delete is counted from then on.
  const sleepsFirst = record.wanted === 'awake' && policy.sleepAfter !== null;
  const noticeUntil =
    !sleepsFirst && deleteAt !== null && deleteAt <= now ? now + Math.max(LEAST_NOTICE_MS, record.intake.deleteNotice) : 0;
  return { patch: { policy, policyRank, policyAt: now, noticeUntil }, alarms: true };
}

/**
 * Deletes the session, or puts it to sleep now and deletes it after a grace; null where it is being deleted already.
 *
 * @param grace ms, at most {@link LONGEST_GRACE_MS}; 0: deletes it now
 */
export function remove(record: SessionRecord, cause: RequestCause, grace: number, now: number): RequestEffect | null {
  if (record.wanted === 'gone') return null;
  if (grace === 0) return { patch: { wanted: 'gone', cause, graceUntil: 0, ...HEALTHY }, alarms: true };
  const asleep = sleepByHand(record, now, cause).patch;
  return { patch: { ...asleep, cause, lostBefore: record.intake.lostTime, graceUntil: now + grace }, alarms: true };
}

/**
 * Deletes the session as {@link remove} does, unless it is kept.
 *
 * @param force whether to delete a session that is kept, and only such a one
 * @throws SandmanError `kept`
 * @throws InvalidInput naming `force`
 */
export function removeByHand(record: SessionRecord, grace: number, force: boolean, now: number): RequestEffect | null {
  const effect = remove(record, 'manual', grace, now);
  if (!effect) return null;
  if (!isKept(record, now)) {
    if (force) throw new InvalidInput('force', 'is only for a session that is kept');
    return effect;
  }
  if (!force) throw new SandmanError('kept', `Session ${record.uuid} is kept until ${new Date(record.keepUntil).toISOString()}`);
  return { ...effect, patch: { ...effect.patch, keepUntil: 0 } };
}

/** Does what a logout asks: deletes the session as {@link remove} does, or puts it to sleep where it is kept. */
export function logOut(record: SessionRecord, grace: number, now: number): RequestEffect | null {
  const effect = remove(record, 'logout', grace, now);
  return effect && isKept(record, now) ? sleepByHand(record, now, 'logout') : effect;
}

/** Has the pod's status read because it may differ from the record: at once, or when an open doubt may end. */
export function verify(record: SessionRecord, now: number): RequestEffect {
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
export function checkAwake(record: SessionRecord, now: number): RequestEffect | null {
  const patch = isBeingChecked(record, now) ? {} : confirmAwake(record, now);
  return Object.keys(patch).length > 0 ? { patch, alarms: true } : null;
}

/** Returns whether the session is active, and either no doubt is open or its pod was woken at or after `since` (ms). */
export function isAwakeSince(record: SessionRecord, since: number): boolean {
  return statusOf(record) === 'active' && (record.verifyAt === 0 || record.wokenAt >= since);
}

/** What is known of a session when tracking starts. */
export interface NewSession {
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  /** Rank of the policies in force that `policy` was taken from; left out where it is unknown. */
  readonly policyRank?: number;
  readonly cause: 'created' | 'adopted' | 'restored';
}

/** Forgets an earlier 404, because the session-manager has answered for the session since: a later 404 does not confirm it. */
export function confirmExists(record: SessionRecord): RequestEffect | null {
  return record.missingSince === 0 ? null : { patch: { missingSince: 0 }, alarms: false };
}

/**
 * Returns the initial record. An adopted pod is taken to be awake and verified at once. A doubt in the former record of this
 * uuid stays open, because a late call of that time would change this pod.
 */
export function newSession(
  { userId, workspaceUrl, policy, policyRank = 0, cause }: NewSession,
  former: SessionRecord | null,
  now: number,
): Patch {
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
    keepUntil: 0,
    graceUntil: 0,
    noticeUntil: 0,
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
    deleteWarnedOf: 0,
  };
}

/**
 * Returns the tombstone that a deleted session leaves. A keep goes on where the session-manager no longer knew the pod: if the
 * pod exists after all, an audit must not delete it.
 */
export function tombstone(record: SessionRecord, cause: Cause, now: number): Patch {
  return {
    wanted: 'gone',
    pod: 'gone',
    cause,
    deletedAt: record.deletedAt || now,
    action: '',
    token: '',
    actionUntil: 0,
    graceUntil: 0,
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
