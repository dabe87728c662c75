import type { SessionRecord } from './session.ts';

/** A wake within this time after an idle sleep is a regret: the sleep came too early. In ms. */
export const REGRET_MS = 300_000;

/** States whose time is measured. `alwaysOn` runs from a pod's creation on, as if pods were never put to sleep or deleted. */
export const CLOCKS = ['awake', 'asleep', 'alwaysOn'] as const;
/** Events that are counted. */
export const COUNTS = ['sleeps', 'wakes', 'regrets'] as const;

/** One usage entry of a policy. */
export type Booking =
  /** From now on this clock runs for one more pod, or for one less. */
  | { readonly policy: string; readonly item: (typeof CLOCKS)[number]; readonly by: 1 | -1 }
  /**
   * Adds one to this count. A regret counts only if its sleep, which began at `since` (ms; 0: just now), is at most
   * {@link REGRET_MS} old.
   */
  | { readonly policy: string; readonly item: (typeof COUNTS)[number]; readonly since?: number };

/** The fields of a record that usage depends on. */
export type Booked = Pick<SessionRecord, 'policy' | 'pod' | 'wanted' | 'action' | 'cause' | 'sleptAt'>;

/** Returns the clock that runs for a pod. An `unknown` pod counts as awake: it may run, and then it costs. */
function clockOf({ pod }: Booked): 'awake' | 'asleep' | null {
  return pod === 'gone' ? null : pod === 'asleep' ? 'asleep' : 'awake';
}

function restarted(policy: string, item: (typeof CLOCKS)[number], by: 1 | -1): Booking {
  return { policy, item, by };
}

/**
 * Returns the usage entries that a write causes. A uuid that is adopted again after its deletion starts no new `alwaysOn`
 * clock: the earlier one still runs, because without Sandman the pod would have kept running.
 *
 * @param before the record before the write; null: there was none
 */
export function bookings(before: Booked | null, after: Booked): Booking[] {
  const policy = after.policy.name;
  const clock = clockOf(after);
  if (!before) return [restarted(policy, 'alwaysOn', 1), ...(clock ? [restarted(policy, clock, 1)] : [])];
  const books: Booking[] = [];
  const formerPolicy = before.policy.name;
  const formerClock = clockOf(before);
  if (policy !== formerPolicy) books.push(restarted(formerPolicy, 'alwaysOn', -1), restarted(policy, 'alwaysOn', 1));
  if (clock !== formerClock || policy !== formerPolicy) {
    if (formerClock) books.push(restarted(formerPolicy, formerClock, -1));
    if (clock) books.push(restarted(policy, clock, 1));
  }
  const ended = after.action === '' ? before.action : '';
  if (ended === 'sleep' && after.pod === 'asleep') books.push({ policy, item: 'sleeps' });
  if (ended === 'wake' && after.pod === 'awake') books.push({ policy, item: 'wakes' });
  const woken = before.wanted === 'asleep' && after.wanted === 'awake' && after.cause !== 'restored';
  if (woken && before.cause === 'idle') books.push({ policy: formerPolicy, item: 'regrets', since: before.sleptAt });
  return books;
}
