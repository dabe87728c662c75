import type { PeriodTotals } from '@sandman/core';
import type { Saved, Savings, Spent } from './schemas.ts';

/** The usage of one policy: times in ms, and counts. */
interface UsageSums {
  readonly awake: number;
  readonly asleep: number;
  readonly alwaysOn: number;
  readonly sleeps: number;
  readonly wakes: number;
  readonly regrets: number;
}

const NO_USAGE: UsageSums = { awake: 0, asleep: 0, alwaysOn: 0, sleeps: 0, wakes: 0, regrets: 0 };

function sum(usage: Iterable<UsageSums>): UsageSums {
  const total = { ...NO_USAGE };
  for (const book of usage) for (const item of Object.keys(NO_USAGE) as (keyof UsageSums)[]) total[item] += book[item];
  return total;
}

function saved({ awake, asleep, alwaysOn, ...counts }: UsageSums, price: number | null): Saved {
  const cost = (ms: number) => (ms / 3_600_000) * (price ?? 0);
  return {
    awakeSeconds: awake / 1_000,
    asleepSeconds: asleep / 1_000,
    alwaysOnSeconds: alwaysOn / 1_000,
    savedFraction: alwaysOn > 0 ? 1 - awake / alwaysOn : 0,
    ...counts,
    ...(price === null ? {} : { cost: { awake: cost(awake), saved: cost(alwaysOn - awake) } }),
  };
}

function spent({ awake, asleep, gone, sleeps, wakes, regrets, deletes, recreations }: PeriodTotals, price: number | null): Spent {
  return { ...saved({ awake, asleep, alwaysOn: awake + asleep + gone, sleeps, wakes, regrets }, price), deletes, recreations };
}

/**
 * Makes the answer of `/v1/savings` from the usage.
 *
 * @param price of an awake pod, per hour; null: not configured, then there is no `cost`
 * @param shadows totals of shadow policies; empty where there never was one
 */
export function savingsView(
  usage: ReadonlyMap<string, UsageSums>,
  price: number | null,
  shadows: ReadonlyMap<string, { readonly would: PeriodTotals; readonly was: PeriodTotals }> = new Map(),
): Savings {
  const byPolicy = Object.fromEntries([...usage].map(([name, book]) => [name, saved(book, price)]));
  const tried = [...shadows].map(([name, { would, was }]) => [name, { ...spent(would, price), asIs: spent(was, price) }]);
  return { ...saved(sum(usage.values()), price), byPolicy, ...(tried.length > 0 ? { shadows: Object.fromEntries(tried) } : {}) };
}
