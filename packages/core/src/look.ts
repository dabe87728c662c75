import { deadlines, warnAt } from './deadlines.ts';
import { couldPing, foresee, nextBeat } from './ingest.ts';
import { type Action, HEALTHY, type Patch, type SessionRecord } from './session.ts';

/**
 * What a record asks for now. Each kind but `rest` and `over` leads to a commit, after which the caller decides again. A
 * `want` and the call that follows from it at once are written in one commit.
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
  /** A deadline has passed without activity: `patch` changes what is wanted. */
  | { readonly kind: 'want'; readonly patch: Patch }
  /** A warning is to be sent that the session will sleep at `sleepAt` (ms) if no activity arrives. */
  | { readonly kind: 'warn'; readonly sleepAt: number }
  | { readonly kind: 'act'; readonly action: Action };

/**
 * Returns whether the record is to be verified, because Redis has come back with older data since it was last verified: a
 * sleep or a wake may be missing from it.
 */
export function isSuspect({ wanted, ingest, rewound, createdAt }: SessionRecord): boolean {
  return wanted !== 'gone' && ingest.rewound > Math.max(rewound, createdAt);
}

/**
 * Decides what a record asks for now. Workers, APIs and simulators all use this function.
 *
 * @param now ms of the shard's Redis clock, never ahead of it
 */
export function look(record: SessionRecord, now: number): Decision {
  if (record.pod === 'gone') return { kind: 'over' };

  if (record.action !== '') {
    return now < record.actionUntil ? { kind: 'rest', until: record.actionUntil } : { kind: 'take-over' };
  }

  if (isSuspect(record)) return { kind: 'suspect' };

  const { sleepAt, deleteAt } = deadlines(record);
  // A deadline that a change of the policy made due waits for a heartbeat after that change.
  const vouchedFrom = (at: number) => Math.max(at, record.policyAt);
  const passed = (at: number | null) => at !== null && now >= at && couldPing(record.ingest, vouchedFrom(at));
  if (record.wanted !== 'gone' && passed(deleteAt)) return { kind: 'want', patch: { wanted: 'gone', cause: 'delete-due', ...HEALTHY } };
  // While the pod is not awake, the user still waits for the wake, so no sleep is decided. A doubt forbids it too.
  const maySleep = record.wanted === 'awake' && record.pod === 'awake' && record.verifyAt === 0;
  if (maySleep && passed(sleepAt)) {
    return { kind: 'want', patch: { wanted: 'asleep', cause: 'idle', lostBefore: record.ingest.lost, ...HEALTHY } };
  }
  if (maySleep && sleepAt !== null && now < sleepAt && passed(warnAt(record, sleepAt))) return { kind: 'warn', sleepAt };

  if (record.wanted !== 'gone' && record.verifyAt !== 0 && now >= Math.max(record.verifyAt, record.notBefore)) {
    return { kind: 'act', action: 'status' };
  }

  const backoffEnd = Math.max(record.retryAt, record.notBefore);
  const asWanted = record.pod === record.wanted;
  if (!asWanted && now >= backoffEnd) {
    const action = record.wanted === 'awake' ? 'wake' : record.wanted === 'asleep' ? 'sleep' : 'delete';
    return { kind: 'act', action };
  }

  // A deadline that has passed waits for the next heartbeat. In a gap, that heartbeat will move the deadline later.
  const ahead = deadlines(record, foresee(record.ingest, now));
  // The `sleep` alarm rings at the warning first, unless the sleep itself is due.
  const stopAt = (now < (ahead.sleepAt ?? 0) ? warnAt(record, ahead.sleepAt) : null) ?? ahead.sleepAt;
  const afterBeat = (at: number | null) => (at !== null && now >= at ? now + nextBeat(vouchedFrom(at), now, record.ingest) : at);
  const pending = [
    record.wanted === 'gone' ? null : afterBeat(ahead.deleteAt),
    maySleep ? afterBeat(stopAt) : null,
    record.wanted === 'gone' || record.verifyAt === 0 ? null : Math.max(record.verifyAt, record.notBefore),
    asWanted ? null : backoffEnd,
  ].filter((at) => at !== null);
  return { kind: 'rest', until: pending.length === 0 ? null : Math.min(...pending) };
}
