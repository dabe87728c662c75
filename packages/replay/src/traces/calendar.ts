import type { Random } from '@sandman/core';
import type { Workload } from './workloads.ts';

const HOUR_MS = 3_600_000;
/** In ms. */
export const DAY_MS = 24 * HOUR_MS;

function isWeekend(at: number): boolean {
  const day = new Date(at).getUTCDay();
  return day === 0 || day === 6;
}

/** Draws when users come, by the hours and weekends of a workload. A day is 24 hours; the first begins at the trace's start. */
export class Calendar {
  readonly #from: number;
  readonly #days: number;
  readonly #weekend: number;
  /** The running sums of the hours' weights. */
  readonly #sums: readonly number[];

  /** @param from ms since 1970 */
  constructor(from: number, days: number, { hours, weekend }: Pick<Workload, 'hours' | 'weekend'>) {
    let sum = 0;
    this.#sums = hours.map((weight) => (sum += weight));
    this.#from = from;
    this.#days = days;
    this.#weekend = weekend;
  }

  /** Draws the day on which a session begins, from 0 on. A trace that has only weekend days gets sessions as well. */
  firstDay(random: Random): number {
    for (;;) {
      const day = random.between(0, this.#days - 1);
      if (random.chance(this.#likely(day))) return day;
    }
  }

  /** Draws whether a user comes back on that day. @param probability that of a weekday, 0 to 1 */
  comesBack(day: number, probability: number, random: Random): boolean {
    return random.chance(probability * this.#likely(day));
  }

  /** Draws a time of that day, ms since 1970. */
  instant(day: number, random: Random): number {
    const draw = random.next() * this.#sums.at(-1)!;
    const hour = this.#sums.findIndex((sum) => draw < sum);
    const begins = this.#from + day * DAY_MS;
    const ofDay = (hour + random.next()) * HOUR_MS;
    // The day may begin at any hour: an hour of the clock before that is then one of the next date.
    return Math.floor(begins + ((ofDay - (begins % DAY_MS) + DAY_MS) % DAY_MS));
  }

  #likely(day: number): number {
    return isWeekend(this.#from + day * DAY_MS) ? this.#weekend : 1;
  }
}
