import { deadlines, warnAt } from './deadlines.ts';
import { couldPing, foresee, nextBeat } from './ingest.ts';
import { type Action, HEALTHY, type Patch, type SessionRecord } from './session.ts';

/** What a look at a record decides. Every step but `rest` and `over` is a commit, a `want` with the call that follows at once; then one looks again. */
export type Decision =
  /** The pod is gone: nothing more will ever be needed. */
  | { readonly kind: 'over' }
  /** Nothing to do before `until` (ms); `null` when nothing is pending at all. */
  | { readonly kind: 'rest'; readonly until: number | null }
  /** The owner of a call has let its lease run out: what it may have left behind is to be verified. */
  | { readonly kind: 'take-over' }
  /** Redis came back with older data: what was written since may be lost, and is to be verified. */
  | { readonly kind: 'suspect' }
  /** Something else is wanted from now on, because nobody came. */
  | { readonly kind: 'want'; readonly patch: Patch }
  /** Somebody is to be warned that it will fall asleep at this instant (ms) if nobody comes. */
  | { readonly kind: 'warn'; readonly sleepAt: number }
  | { readonly kind: 'act'; readonly action: Action };

/** Whether Redis has come back with older data since anybody looked: the record may have forgotten a sleep, or a wake. */
export function isSuspect({ wanted, ingest, rewound, createdAt }: SessionRecord): boolean {
  return wanted !== 'gone' && ingest.rewound > Math.max(rewound, createdAt);
}

/**
 * The one decision procedure: worker, API and simulators all run this.
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
  // What a change of the policy made due waits for a heartbeat after that change.
  const vouchedFrom = (at: number) => Math.max(at, record.policyAt);
  const passed = (at: number | null) => at !== null && now >= at && couldPing(record.ingest, vouchedFrom(at));
  if (record.wanted !== 'gone' && passed(deleteAt)) return { kind: 'want', patch: { wanted: 'gone', cause: 'delete-due', ...HEALTHY } };
  // With the pod not awake, the user's wake has not been served yet: never sleep on that. Nor on a doubt.
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

  // A deadline that has passed waits for the next heartbeat; in a gap it can only be a later one.
  const ahead = deadlines(record, foresee(record.ingest, now));
  // The sleep's alarm stops at its warning first, unless the sleep itself is due.
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
