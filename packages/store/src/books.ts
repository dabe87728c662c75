import { type Booking, CLOCKS, type COUNTS, REGRET_MS } from '@sandman/core';

/** 2026-01-01: the sums of many clocks' ms stay far below 2^63. */
const CLOCKS_BEGIN_MS = 1_767_225_600_000;

type Item = (typeof CLOCKS)[number] | (typeof COUNTS)[number];

/** What one policy's pods came to, and how many of them there are just now. */
export type Book = Readonly<Record<Item | 'awakePods' | 'asleepPods', number>>;

function entry({ policy, item }: Booking): string {
  return `${item} ${policy}`;
}

/** As the script takes them. @param failingSince stands before the bookings themselves */
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
 * Adds a shard's books to those read before; clocks in ms, those that run included.
 *
 * @param now ms of the shard's clock
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
    // The number of pods for which the clock runs.
    if (item === 'awake' || item === 'asleep') book[`${item}Pods`] += Number(value);
  }
}
