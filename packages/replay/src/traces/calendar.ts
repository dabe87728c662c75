import type { Random } from '@sandman/core';
import type { Workload } from './workloads.ts';

const HOUR_MS = 3_600_000;
/** ms. */
export const DAY_MS = 24 * HOUR_MS;

function isWeekend(at: number): boolean {
  const day = new Date(at).getUTCDay();
  return day === 0 || day === 6;
}

/** When people come, by the hours and weekends of a workload. Its days are 24 hours each, from the trace's start on. */
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

  /** A day on which a session begins, from 0 on. A trace of weekends alone has some as well. */
  firstDay(random: Random): number {
    for (;;) {
      const day = random.between(0, this.#days - 1);
      if (random.chance(this.#likely(day))) return day;
    }
  }

  /** Whether a user comes back on that day, who does so on a weekday with this probability. */
  comesBack(day: number, probability: number, random: Random): boolean {
    return random.chance(probability * this.#likely(day));
  }

  /** An instant of that day, ms since 1970. */
  instant(day: number, random: Random): number {
    const draw = random.next() * this.#sums.at(-1)!;
    const hour = this.#sums.findIndex((sum) => draw < sum);
    const begins = this.#from + day * DAY_MS;
    const ofDay = (hour + random.next()) * HOUR_MS;
    // The day may begin at any hour: what is earlier on the clock is then tomorrow's.
    return Math.floor(begins + ((ofDay - (begins % DAY_MS) + DAY_MS) % DAY_MS));
  }

  #likely(day: number): number {
    return isWeekend(this.#from + day * DAY_MS) ? this.#weekend : 1;
  }
}
