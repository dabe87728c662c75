import { CLOCKS, type COUNTS, type UsageEntry } from '@sandman/core';

/** 2026-01-01, in Unix ms. Usage clocks count from then, so that the sums of many clocks stay far below 2^63. */
export const CLOCKS_BEGIN_MS = 1_767_225_600_000;

type Item = (typeof CLOCKS)[number] | (typeof COUNTS)[number];

/** The usage of one policy: times in ms, counts, and how many of its pods are awake and asleep now. */
export type Usage = Readonly<Record<Item | 'awakePods' | 'asleepPods', number>>;

/** A usage entry as `commit.lua` reads it. */
export interface EncodedUsage {
  /** Item and policy. */
  readonly name: string;
  readonly by: number;
  /** Whether a clock starts or stops. */
  readonly clock?: true;
  /** Counts only if this is at most `REGRET_MS` ago, in ms. */
  readonly since?: number;
}

export function encodeUsage(usage: UsageEntry): EncodedUsage {
  const name = `${usage.item} ${usage.policy}`;
  if ('by' in usage) return { name, by: usage.by, clock: true };
  return usage.since ? { name, by: 1, since: usage.since } : { name, by: 1 };
}

/**
 * Adds a shard's usage to `into`. Times are in ms and include clocks that still run.
 *
 * @param flat field, value, …, as Redis answers
 * @param now the shard's clock, in ms
 */
export function addUsage(into: Map<string, Record<keyof Usage, number>>, flat: readonly string[], now: number): void {
  const values = new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, BigInt(flat[2 * i + 1]!)]));
  const since = BigInt(now - CLOCKS_BEGIN_MS);
  for (const [name, value] of values) {
    const [, item, policy] = /^(\w+) (.*)$/s.exec(name) ?? [];
    if (!item || policy === undefined) continue;
    const usage = into.get(policy) ?? { awake: 0, asleep: 0, alwaysOn: 0, sleeps: 0, wakes: 0, regrets: 0, awakePods: 0, asleepPods: 0 };
    into.set(policy, usage);
    const isClock = CLOCKS.some((clock) => clock === item);
    usage[item as Item] += Number(isClock ? value * since + (values.get(`ms.${name}`) ?? 0n) : value);
    // The field of a clock holds the number of pods for which it runs.
    if (item === 'awake' || item === 'asleep') usage[`${item}Pods`] += Number(value);
  }
}
