import type { SessionRecord } from './session.ts';

/** A wake this soon after the idle sleep before it says that the sleep came too early, in ms. */
export const REGRET_MS = 300_000;

/** What runs while a pod is in that state (`alwaysOn`: from its creation on, as if nobody ever cleaned up). */
export const CLOCKS = ['awake', 'asleep', 'alwaysOn'] as const;
/** What is counted. */
export const COUNTS = ['sleeps', 'wakes', 'regrets'] as const;

/** One entry in the books of a policy. */
export type Booking =
  /** One more, or one less, pod for which this clock runs from now on. */
  | { readonly policy: string; readonly item: (typeof CLOCKS)[number]; readonly by: 1 | -1 }
  /** One more. A regret counts only while its sleep, which began at `since` (ms; 0: just now), is at most {@link REGRET_MS} old. */
  | { readonly policy: string; readonly item: (typeof COUNTS)[number]; readonly since?: number };

/** What the books see of a record. */
export type Booked = Pick<SessionRecord, 'policy' | 'pod' | 'wanted' | 'action' | 'cause' | 'sleptAt'>;

/** What costs: a pod that may be up is paid for. */
function clockOf({ pod }: Booked): 'awake' | 'asleep' | null {
  return pod === 'gone' ? null : pod === 'asleep' ? 'asleep' : 'awake';
}

function restarted(policy: string, item: (typeof CLOCKS)[number], by: 1 | -1): Booking {
  return { policy, item, by };
}

/**
 * What a write means for the books. A uuid that comes back after its deletion is the pod that would have run on: its
 * `alwaysOn` goes on.
 *
 * @param before null: there was none
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
