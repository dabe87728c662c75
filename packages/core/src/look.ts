import { deadlines } from './deadlines.ts';
import { type Action, HEALTHY, type Patch, type SessionRecord } from './session.ts';

/** What a look at a record decides. Every step but `rest` and `over` is a commit of its own; then one looks again. */
export type Decision =
  /** The pod is gone: nothing more will ever be needed. */
  | { readonly kind: 'over' }
  /** Nothing to do before `until` (ms); `null` when nothing is pending at all. */
  | { readonly kind: 'rest'; readonly until: number | null }
  /** The owner of a call has let its lease run out: what it may have left behind is to be verified. */
  | { readonly kind: 'take-over' }
  | { readonly kind: 'want'; readonly patch: Patch }
  | { readonly kind: 'act'; readonly action: Action };

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

  const { sleepAt, deleteAt } = deadlines(record);
  if (record.wanted !== 'gone' && deleteAt !== null && now >= deleteAt) {
    return { kind: 'want', patch: { wanted: 'gone', cause: 'delete-due', ...HEALTHY } };
  }
  // With the pod not awake, the user's wake has not been served yet: never sleep on that. Nor on a doubt.
  const maySleep = record.wanted === 'awake' && record.pod === 'awake' && record.verifyAt === 0 && sleepAt !== null;
  if (maySleep && now >= sleepAt) return { kind: 'want', patch: { wanted: 'asleep', cause: 'idle', ...HEALTHY } };

  if (record.wanted !== 'gone' && record.verifyAt !== 0 && now >= Math.max(record.verifyAt, record.notBefore)) {
    return { kind: 'act', action: 'status' };
  }

  const backoffEnd = Math.max(record.retryAt, record.notBefore);
  const asWanted = record.pod === record.wanted;
  if (!asWanted && now >= backoffEnd) {
    const action = record.wanted === 'awake' ? 'wake' : record.wanted === 'asleep' ? 'sleep' : 'delete';
    return { kind: 'act', action };
  }

  const pending = [
    record.wanted === 'gone' ? null : deleteAt,
    maySleep ? sleepAt : null,
    record.wanted === 'gone' || record.verifyAt === 0 ? null : Math.max(record.verifyAt, record.notBefore),
    asWanted ? null : backoffEnd,
  ].filter((at) => at !== null);
  return { kind: 'rest', until: pending.length === 0 ? null : Math.min(...pending) };
}
