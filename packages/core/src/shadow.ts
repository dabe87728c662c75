import { deadlines } from './deadlines.ts';
import type { Policy } from './policy.ts';
import { REGRET_MS } from './savings.ts';
import type { SessionRecord } from './session.ts';

/** What became of a pod's time, in ms: `gone` is what it was not there at all. */
const TIMES = ['awake', 'asleep', 'gone'] as const;
/** `recreations`: its user came back to a pod that was deleted. */
const EVENTS = ['sleeps', 'wakes', 'regrets', 'deletes', 'recreations'] as const;
export const SPELL_ITEMS = [...TIMES, ...EVENTS] as const;

/** What a policy makes, or would have made, of some time of a session's. Sums of these are one again. */
export type Spell = Readonly<Record<(typeof SPELL_ITEMS)[number], number>>;

/** The session as it would be under a policy that had it awake all the while: then it was not woken either. */
function awakeUnder(record: SessionRecord, policy: Policy): SessionRecord {
  return { ...record, policy, wanted: 'awake', pod: 'awake', wokenAt: 0 };
}

/** When the idle time of a session would end under a policy, if it were awake, in ms; null: never. */
export function idleUntil(record: SessionRecord, policy: Policy): number | null {
  const { sleepAt, deleteAt } = deadlines(awakeUnder(record, policy));
  return sleepAt ?? deleteAt;
}

/**
 * What a policy would have made of the time since the user's last activity, by the deadlines that the record has under it.
 *
 * @param record as it stood when that time ended, but for background signals after the policy's {@link idleUntil}: those
 * would have met a pod that slept
 * @param until when it ended, in ms; what was due at that very instant was not done yet
 * @param came whether the user's coming back ended it; else the session's end did
 */
export function tryPolicy(record: SessionRecord, policy: Policy, until: number, came: boolean): Spell {
  const { lastActivity: from, manualSleepAt } = record;
  const idle = deadlines(awakeUnder(record, policy));
  // Whatever the policy, a sleep by hand is one.
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

/** The time that a write ended: the user came back, or the session's end was decided or found. Null where it ended none. */
export function spellEnd(
  before: SessionRecord,
  after: SessionRecord,
  now: number,
): { readonly until: number; readonly came: boolean } | null {
  if (before.wanted === 'gone' || before.pod === 'gone') return null;
  if (after.wanted === 'gone' || after.pod === 'gone') return { until: now, came: false };
  return after.lastActivity > before.lastActivity ? { until: after.lastActivity, came: true } : null;
}
