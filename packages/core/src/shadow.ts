import { deadlines } from './deadlines.ts';
import type { Policy } from './policy.ts';
import { REGRET_MS } from './savings.ts';
import type { SessionRecord } from './session.ts';

/** The states in which a pod spends its time, in ms. `gone`: there was no pod. */
const TIMES = ['awake', 'asleep', 'gone'] as const;
/** Events that are counted. `recreations`: the user came back after the pod was deleted. */
const EVENTS = ['sleeps', 'wakes', 'regrets', 'deletes', 'recreations'] as const;
export const SPELL_ITEMS = [...TIMES, ...EVENTS] as const;

/** Totals of an idle period under one policy: times in ms and counts. The sum of several has the same form. */
export type Spell = Readonly<Record<(typeof SPELL_ITEMS)[number], number>>;

/** Returns the session as it would be under a policy if it had been awake all the time; then it was not woken either. */
function awakeUnder(record: SessionRecord, policy: Policy): SessionRecord {
  return { ...record, policy, wanted: 'awake', pod: 'awake', wokenAt: 0 };
}

/** Returns when an awake session would be put to sleep, or else deleted, under a policy, in ms; null: never. */
export function idleUntil(record: SessionRecord, policy: Policy): number | null {
  const { sleepAt, deleteAt } = deadlines(awakeUnder(record, policy));
  return sleepAt ?? deleteAt;
}

/**
 * Returns the totals that a policy would have had for the idle period since the user's last activity.
 *
 * @param record the record at the end of the period, without background activity after the policy's {@link idleUntil}: the
 * pod would have slept by then
 * @param until the end of the period, in ms; a deadline at exactly this time is not carried out
 * @param came whether the user came back at `until`; otherwise the session ended then
 */
export function tryPolicy(record: SessionRecord, policy: Policy, until: number, came: boolean): Spell {
  const { lastActivity: from, manualSleepAt } = record;
  const idle = deadlines(awakeUnder(record, policy));
  // A sleep by hand happens under every policy.
  const byHand = manualSleepAt > from && manualSleepAt < (idle.sleepAt ?? Number.POSITIVE_INFINITY);
  const sleepAt = byHand ? manualSleepAt : idle.sleepAt;
  const deleteAt = byHand && policy.deleteAfter !== null ? manualSleepAt + policy.deleteAfter : idle.deleteAt;

  const end = Math.max(from, until);
  const upTo = (at: number | null) => Math.min(at ?? end, end);
  const goneFrom = Math.max(from, upTo(deleteAt));
  const asleepFrom = Math.min(Math.max(from, upTo(sleepAt)), goneFrom);
  const slept = asleepFrom < goneFrom;
  const deleted = goneFrom < end;
  const woken = slept && !deleted && came;
  return {
    awake: asleepFrom - from,
    asleep: goneFrom - asleepFrom,
    gone: end - goneFrom,
    sleeps: Number(slept),
    wakes: Number(woken),
    regrets: Number(woken && !byHand && end - asleepFrom <= REGRET_MS),
    deletes: Number(deleted),
    recreations: Number(deleted && came),
  };
}

/** Returns how a write ended an idle period: the user came back, or the session is deleted; null where the write ended none. */
export function spellEnd(
  before: SessionRecord,
  after: SessionRecord,
  now: number,
): { readonly until: number; readonly came: boolean } | null {
  if (before.wanted === 'gone' || before.pod === 'gone') return null;
  if (after.wanted === 'gone' || after.pod === 'gone') return { until: now, came: false };
  return after.lastActivity > before.lastActivity ? { until: after.lastActivity, came: true } : null;
}
