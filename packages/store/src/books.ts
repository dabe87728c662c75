import { type Booking, CLOCKS, type COUNTS, REGRET_MS } from '@sandman/core';

/** 2026-01-01, in Unix ms. Usage clocks count from then, so that the sums of many clocks stay far below 2^63. */
const CLOCKS_BEGIN_MS = 1_767_225_600_000;

type Item = (typeof CLOCKS)[number] | (typeof COUNTS)[number];

/** The usage of one policy: times in ms, counts, and how many of its pods are awake and asleep now. */
export type Book = Readonly<Record<Item | 'awakePods' | 'asleepPods', number>>;

function entry({ policy, item }: Booking): string {
  return `${item} ${policy}`;
}

/**
 * Encodes usage entries as arguments of `commit.lua`.
 *
 * @param failingSince since when the session's calls fail, in ms; 0: they no longer fail; '': unchanged
 */
export function encodeBookings(books: readonly Booking[], failingSince: number | ''): (string | number)[] {
  return [
    CLOCKS_BEGIN_MS,
    REGRET_MS,
    books.length,
    failingSince,
    ...books.flatMap((book) => ('by' in book ? [entry(book), book.by, 'clock'] : [entry(book), 1, book.since || ''])),
  ];
}

/**
 * Adds a shard's usage to `into`. Times are in ms and include clocks that still run.
 *
 * @param flat field, value, …, as Redis answers
 * @param now the shard's clock, in ms
 */
export function addBooks(into: Map<string, Record<keyof Book, number>>, flat: readonly string[], now: number): void {
  const values = new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, BigInt(flat[2 * i + 1]!)]));
  const since = BigInt(now - CLOCKS_BEGIN_MS);
  for (const [name, value] of values) {
    const [, item, policy] = /^(\w+) (.*)$/s.exec(name) ?? [];
    if (!item || policy === undefined) continue;
    const book = into.get(policy) ?? { awake: 0, asleep: 0, alwaysOn: 0, sleeps: 0, wakes: 0, regrets: 0, awakePods: 0, asleepPods: 0 };
    into.set(policy, book);
    const isClock = CLOCKS.some((clock) => clock === item);
    book[item as Item] += Number(isClock ? value * since + (values.get(`ms.${name}`) ?? 0n) : value);
    // The field of a clock holds the number of pods for which it runs.
    if (item === 'awake' || item === 'asleep') book[`${item}Pods`] += Number(value);
  }
}
