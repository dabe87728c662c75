import type { SessionRecord } from './session.ts';

/** A wake within this time after an idle sleep is a regret: the sleep came too early. In ms. */
export const REGRET_MS = 300_000;

/** States whose time is measured. `alwaysOn` runs from a pod's creation on, as if pods were never put to sleep or deleted. */
export const CLOCKS = ['awake', 'asleep', 'alwaysOn'] as const;
/** Events that are counted. */
export const COUNTS = ['sleeps', 'wakes', 'regrets'] as const;

/** One usage entry of a policy. */
export type UsageEntry =
  /** From now on this clock runs for one more pod, or for one less. */
  | { readonly policy: string; readonly item: (typeof CLOCKS)[number]; readonly by: 1 | -1 }
  /**
   * Adds one to this count. A regret counts only if its sleep, which began at `since` (ms; 0: just now), is at most
   * {@link REGRET_MS} old.
   */
  | { readonly policy: string; readonly item: (typeof COUNTS)[number]; readonly since?: number };

/** The fields of a record that usage depends on. */
export type UsageFields = Pick<SessionRecord, 'policy' | 'pod' | 'wanted' | 'action' | 'cause' | 'sleptAt'>;

/** Returns the clock that runs for a pod. An `unknown` pod counts as awake: it may run, and then it costs. */
function clockOf({ pod }: UsageFields): 'awake' | 'asleep' | null {
  return pod === 'gone' ? null : pod === 'asleep' ? 'asleep' : 'awake';
}

function clockEntry(policy: string, item: (typeof CLOCKS)[number], by: 1 | -1): UsageEntry {
  return { policy, item, by };
}

/**
 * Returns the usage entries that a write causes. A uuid that is adopted again after its deletion starts no new `alwaysOn`
 * clock: the earlier one still runs, because without Sandman the pod would have kept running.
 *
 * @param before the record before the write; null: there was none
 */
export function usageEntries(before: UsageFields | null, after: UsageFields): UsageEntry[] {
  const policy = after.policy.name;
  const clock = clockOf(after);
  if (!before) return [clockEntry(policy, 'alwaysOn', 1), ...(clock ? [clockEntry(policy, clock, 1)] : [])];
  const entries: UsageEntry[] = [];
  const formerPolicy = before.policy.name;
  const formerClock = clockOf(before);
  if (policy !== formerPolicy) entries.push(clockEntry(formerPolicy, 'alwaysOn', -1), clockEntry(policy, 'alwaysOn', 1));
  if (clock !== formerClock || policy !== formerPolicy) {
    if (formerClock) entries.push(clockEntry(formerPolicy, formerClock, -1));
    if (clock) entries.push(clockEntry(policy, clock, 1));
  }
  const ended = after.action === '' ? before.action : '';
  if (ended === 'sleep' && after.pod === 'asleep') entries.push({ policy, item: 'sleeps' });
  if (ended === 'wake' && after.pod === 'awake') entries.push({ policy, item: 'wakes' });
  const woken = before.wanted === 'asleep' && after.wanted === 'awake' && after.cause !== 'restored';
  if (woken && before.cause === 'idle') entries.push({ policy: formerPolicy, item: 'regrets', since: before.sleptAt });
  return entries;
}
