import type { Saved, Savings } from './schemas.ts';

/** One policy's clocks, in ms, and counts. */
interface Book {
  readonly awake: number;
  readonly asleep: number;
  readonly alwaysOn: number;
  readonly sleeps: number;
  readonly wakes: number;
  readonly regrets: number;
}

const NOTHING: Book = { awake: 0, asleep: 0, alwaysOn: 0, sleeps: 0, wakes: 0, regrets: 0 };

function sum(books: Iterable<Book>): Book {
  const total = { ...NOTHING };
  for (const book of books) for (const item of Object.keys(NOTHING) as (keyof Book)[]) total[item] += book[item];
  return total;
}

function saved({ awake, asleep, alwaysOn, ...counts }: Book, price: number | null): Saved {
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

/**
 * The books as callers see them.
 *
 * @param price of a pod that is awake, per hour; null: nobody said
 */
export function savingsView(books: ReadonlyMap<string, Book>, price: number | null): Savings {
  const byPolicy = Object.fromEntries([...books].map(([name, book]) => [name, saved(book, price)]));
  return { ...saved(sum(books.values()), price), byPolicy };
}
