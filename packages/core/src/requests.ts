import { InvalidInput, SandmanError } from './errors.ts';
import type { Policy } from './policy.ts';
import type { ActivityKind, Cause, Patch, SessionRecord } from './session.ts';
import { HEALTHY, statusOf, TOMBSTONE_MS } from './session.ts';

/** What somebody's request makes of a record. */
export interface Change {
  readonly patch: Patch;
  /** Whether it makes work due earlier, so that new alarms must be drawn. */
  readonly alarms: boolean;
}

/** The longest hold, in ms. */
const LONGEST_HOLD_MS = 24 * 3_600_000;
/** How long a `Retry-After` is obeyed while a user waits for a wake, in ms. */
export const USER_WAIT_MS = 15_000;

/** The pod is wanted awake from now on. A `Retry-After` that was longer, for a sleep or a delete, does not keep its user waiting. */
export function wakeUp(record: Pick<SessionRecord, 'notBefore'>, cause: Cause, now: number): Patch {
  return { wanted: 'awake', cause, ...HEALTHY, notBefore: Math.min(record.notBefore, now + USER_WAIT_MS) };
}

/** A user coming back at `at`. Ages like the contract's: too old an activity is recorded and wakes nothing. */
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

/** Puts to sleep now; ends a hold. */
export function sleepByHand(record: SessionRecord, now: number): Change {
  const patch: Patch = { manualSleepAt: now, holdUntil: 0 };
  if (record.wanted === 'asleep') return { patch, alarms: false };
  return { patch: { ...patch, wanted: 'asleep', cause: 'manual', lostBefore: record.ingest.lost, ...HEALTHY }, alarms: true };
}

/**
 * Keeps awake until `until`, activity or not; wakes a sleeping one.
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

/** @param policyRank of the policies in force that it was taken from */
export function changePolicy(policy: Policy, policyRank: number, now: number): Change {
  return { patch: { policy, policyRank, policyAt: now }, alarms: true };
}

/** Deletes now. Of a session already on its way out, nothing changes. */
export function remove(record: SessionRecord, cause: 'manual' | 'logout'): Change | null {
  return record.wanted === 'gone' ? null : { patch: { wanted: 'gone', cause, ...HEALTHY }, alarms: true };
}

/** The pod is not what it was taken for, somebody found: its status is read at once, or when a doubt that is open may end. */
export function verify(record: SessionRecord, now: number): Change {
  return { patch: { verifyAt: Math.max(record.verifyAt, now) }, alarms: true };
}

/**
 * What a request writes that must not rely on what was known before it: an awake session's pod is asked for its status, or
 * woken once more where an earlier call may still land on it.
 */
export function confirmAwake(record: SessionRecord, now: number): Patch {
  if (record.wanted !== 'awake' || record.pod !== 'awake') return {};
  return record.verifyAt > now ? { pod: 'unknown' } : { verifyAt: now };
}

/** Whether the pod's status is about to be read, because something made it doubtful. */
export function isBeingChecked({ verifyAt }: SessionRecord, now: number): boolean {
  return verifyAt !== 0 && verifyAt <= now;
}

/** The same as {@link confirmAwake}, for whoever does not wait for it: what is about to be found out need not be asked again. */
export function checkAwake(record: SessionRecord, now: number): Change | null {
  const patch = isBeingChecked(record, now) ? {} : confirmAwake(record, now);
  return Object.keys(patch).length > 0 ? { patch, alarms: true } : null;
}

/** Whether the pod was found awake, or was woken, since that instant (ms). */
export function isAwakeSince(record: SessionRecord, since: number): boolean {
  return statusOf(record) === 'active' && (record.verifyAt === 0 || record.wokenAt >= since);
}

/** What is known of a pod when tracking starts. */
export interface Birth {
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  /** Of the policies in force that it was taken from; none where nobody knows. */
  readonly policyRank?: number;
  readonly cause: 'created' | 'adopted' | 'restored';
}

/** The session-manager answered for the session: a 404 that came before is not confirmed by one that comes after. */
export function found(record: SessionRecord): Change | null {
  return record.missingSince === 0 ? null : { patch: { missingSince: 0 }, alarms: false };
}

/**
 * A new life. An adopted pod is taken to be awake and verified at once; a doubt that a former life under this uuid
 * left stays open, because its late call would hit this pod.
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

/** What the end of a pod leaves: the tombstone. */
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
 * Refuses whatever a session's state refuses.
 *
 * @param deleting whether one that is still being deleted will do
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
