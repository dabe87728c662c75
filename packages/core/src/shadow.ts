import { deadlines, hasGrace } from './deadlines.ts';
import type { Policy } from './policy.ts';
import type { SessionRecord } from './session.ts';
import { REGRET_MS } from './usage.ts';

/** The states in which a pod spends its time, in ms. `gone`: there was no pod. */
const PERIOD_TIMES = ['awake', 'asleep', 'gone'] as const;
/** Events that are counted. `recreations`: the user came back after the pod was deleted. */
const PERIOD_COUNTS = ['sleeps', 'wakes', 'regrets', 'deletes', 'recreations'] as const;
export const PERIOD_ITEMS = [...PERIOD_TIMES, ...PERIOD_COUNTS] as const;

/** Totals of an idle period under one policy: times in ms and counts. The sum of several has the same form. */
export type PeriodTotals = Readonly<Record<(typeof PERIOD_ITEMS)[number], number>>;

/** Totals of the same idle periods: under a shadow policy (`would`), and under the sessions' own policies (`was`). */
export interface ShadowTotals {
  readonly would: PeriodTotals;
  readonly was: PeriodTotals;
}

/** An idle period of a session since `lastActivity` (ms), under a policy. */
export interface IdlePeriod {
  readonly policy: string;
  readonly uuid: string;
  readonly lastActivity: number;
}

/**
 * Returns the session as it would be if it had had the policy and been awake all the time, and no delete had been requested.
 * Then it was not woken either, and no change of the policy left it more time.
 */
function awakeUnder(record: SessionRecord, policy: Policy): SessionRecord {
  return { ...record, policy, policyAt: 0, wanted: 'awake', pod: 'awake', wokenAt: 0, graceUntil: 0, noticeUntil: 0 };
}

/** Returns when an awake session would be put to sleep, or else deleted, under a policy, in ms; null: never. */
export function idleUntil(record: SessionRecord, policy: Policy): number | null {
  const { sleepAt, deleteAt } = deadlines(awakeUnder(record, policy));
  return sleepAt ?? deleteAt;
}

/** Returns when a session that was put to sleep by hand would be deleted under a policy, in ms; null: never. */
function sleptDelete({ manualSleepAt, keepUntil }: SessionRecord, { deleteAfter }: Policy): number | null {
  return deleteAfter === null ? null : Math.max(manualSleepAt + deleteAfter, keepUntil);
}

/**
 * Returns the totals that a policy would have had for the idle period since the user's last activity.
 *
 * @param record the record at the end of the period, without background activity after the policy's {@link idleUntil}: the
 * pod would have slept by then. Its keep counts as if it had begun with the last activity, as a hold does
 * @param until the end of the period, in ms; a deadline at exactly this time is not carried out
 * @param came whether the user came back at `until`; otherwise the session ended then
 */
export function tryPolicy(record: SessionRecord, policy: Policy, until: number, came: boolean): PeriodTotals {
  const { lastActivity: from, manualSleepAt } = record;
  const idle = deadlines(awakeUnder(record, policy));
  // What is requested happens under every policy: a sleep if the pod is awake then, and a delete with a grace if it still exists.
  const isGraced = hasGrace(record) && manualSleepAt < (idle.deleteAt ?? Number.POSITIVE_INFINITY);
  const isPutToSleep = manualSleepAt > from && manualSleepAt < (idle.sleepAt ?? idle.deleteAt ?? Number.POSITIVE_INFINITY);
  const byHand = isGraced || isPutToSleep;
  const sleepAt = byHand ? Math.min(manualSleepAt, idle.sleepAt ?? manualSleepAt) : idle.sleepAt;
  const deleteAt = isGraced ? deadlines(record).deleteAt : isPutToSleep ? sleptDelete(record, policy) : idle.deleteAt;

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
export function periodEnd(
  before: SessionRecord,
  after: SessionRecord,
  now: number,
): { readonly until: number; readonly came: boolean } | null {
  if (before.wanted === 'gone' || before.pod === 'gone') return null;
  if (after.wanted === 'gone' || after.pod === 'gone') return { until: now, came: false };
  return after.lastActivity > before.lastActivity ? { until: after.lastActivity, came: true } : null;
}
