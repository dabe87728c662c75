import { deadlines, deleteStop, hasGrace } from './deadlines.ts';
import { couldPing, nextHeartbeatIn, withGapEnded } from './intake.ts';
import { HEALTHY, type Patch, type PodChange, type SessionRecord, type Wanted } from './session.ts';

/**
 * What a record asks for now. Each kind but `rest` and `over` leads to a commit, after which the caller decides again. A
 * `want` and its call are written in one commit.
 */
export type Decision =
  /** The pod is gone: the record needs nothing more. */
  | { readonly kind: 'over' }
  /** There is nothing to do before `until` (ms); `null`: nothing is pending. */
  | { readonly kind: 'rest'; readonly until: number | null }
  /** The lease of the call in flight has run out: another worker takes over, and the call's effect is to be verified. */
  | { readonly kind: 'take-over' }
  /** Redis came back with older data: later writes may be lost, so the pod's state is to be verified. */
  | { readonly kind: 'suspect' }
  /** A deadline has passed without activity: `patch` changes what is wanted. `action` is the call to make then; null: none yet. */
  | { readonly kind: 'want'; readonly patch: WantPatch; readonly action: PodChange | null }
  /** A warning is to be sent that the session will sleep or be deleted at `at` (ms) if no activity arrives. */
  | { readonly kind: 'warn'; readonly of: 'sleep' | 'delete'; readonly at: number }
  /** A call is to be made. A status read changes no pod. */
  | { readonly kind: 'act'; readonly action: PodChange }
  | { readonly kind: 'act'; readonly action: 'status' };

type WantPatch = Patch & Pick<SessionRecord, 'wanted' | 'cause'>;

/** The call that brings a pod to what is wanted. */
const CALLS: Record<Wanted, PodChange> = { awake: 'wake', asleep: 'sleep', gone: 'delete' };

/** Returns when the backoff of a record's calls ends, in ms. */
const backoffEnd = ({ retryAt, notBefore }: SessionRecord) => Math.max(retryAt, notBefore);

/** Returns the call that is due because the pod is not as wanted; null: none. */
function changeDue(record: SessionRecord, now: number): PodChange | null {
  return record.pod === record.wanted || now < backoffEnd(record) ? null : CALLS[record.wanted];
}

function want(record: SessionRecord, patch: WantPatch, now: number): Decision {
  return { kind: 'want', patch, action: changeDue({ ...record, ...patch }, now) };
}

/**
 * Returns whether the record is to be verified, because Redis has come back with older data since it was last verified: a
 * sleep or a wake may be missing from it.
 */
export function isSuspect({ wanted, intake, rewound, createdAt }: SessionRecord): boolean {
  return wanted !== 'gone' && intake.rewoundAt > Math.max(rewound, createdAt);
}

/**
 * Decides what a record asks for now. Workers, APIs and simulators all use this function.
 *
 * @param now ms of the shard's Redis clock, never ahead of it
 */
export function decide(record: SessionRecord, now: number): Decision {
  if (record.pod === 'gone') return { kind: 'over' };

  if (record.action !== '') {
    return now < record.actionUntil ? { kind: 'rest', until: record.actionUntil } : { kind: 'take-over' };
  }

  if (isSuspect(record)) return { kind: 'suspect' };

  const { sleepAt, deleteAt, sleepWarningAt, deleteWarningAt } = deadlines(record);
  // A deadline that a change of the policy made due waits for a heartbeat after that change.
  const vouchedFrom = (at: number) => Math.max(at, record.policyAt);
  const passed = (at: number | null) => at !== null && now >= at && couldPing(record.intake, vouchedFrom(at));
  if (record.wanted !== 'gone' && passed(deleteAt)) {
    return want(record, { wanted: 'gone', cause: hasGrace(record) ? record.cause : 'delete-due', ...HEALTHY }, now);
  }
  // While the pod is not awake, the user still waits for the wake, so no sleep is decided. A doubt forbids it too.
  const maySleep = record.wanted === 'awake' && record.pod === 'awake' && record.verifyAt === 0;
  if (maySleep && passed(sleepAt)) {
    return want(record, { wanted: 'asleep', cause: 'idle', lostBefore: record.intake.lostTime, ...HEALTHY }, now);
  }
  if (maySleep && sleepAt !== null && now < sleepAt && passed(sleepWarningAt)) return { kind: 'warn', of: 'sleep', at: sleepAt };
  if (record.wanted !== 'gone' && deleteAt !== null && now < deleteAt && passed(deleteWarningAt)) {
    return { kind: 'warn', of: 'delete', at: deleteAt };
  }

  if (record.wanted !== 'gone' && record.verifyAt !== 0 && now >= Math.max(record.verifyAt, record.notBefore)) {
    return { kind: 'act', action: 'status' };
  }

  const action = changeDue(record, now);
  if (action) return { kind: 'act', action };

  // A deadline that has passed waits for the next heartbeat. In a gap, that heartbeat will move the deadline later.
  const ahead = deadlines(record, withGapEnded(record.intake, now));
  // An alarm rings at the warning first, unless the sleep or delete itself is due.
  const sleepStopAt = (now < (ahead.sleepAt ?? 0) ? ahead.sleepWarningAt : null) ?? ahead.sleepAt;
  const deleteStopAt = now < (ahead.deleteAt ?? 0) ? deleteStop(ahead) : ahead.deleteAt;
  const afterBeat = (at: number | null) => (at !== null && now >= at ? now + nextHeartbeatIn(vouchedFrom(at), now, record.intake) : at);
  const pending = [
    record.wanted === 'gone' ? null : afterBeat(deleteStopAt),
    maySleep ? afterBeat(sleepStopAt) : null,
    record.wanted === 'gone' || record.verifyAt === 0 ? null : Math.max(record.verifyAt, record.notBefore),
    record.pod === record.wanted ? null : backoffEnd(record),
  ].filter((at) => at !== null);
  return { kind: 'rest', until: pending.length === 0 ? null : Math.min(...pending) };
}
