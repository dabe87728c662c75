import { InvalidInput } from '@sandman/core';

const DAY_MS = 86_400_000;

/** Converts local times of one time zone to UTC. */
export class Zone {
  readonly #format: Intl.DateTimeFormat;
  /** The offset of each local day that was asked for; null for a day near a change of the clock. To ask `Intl` takes 8 µs. */
  readonly #days = new Map<number, number | null>();

  /** @param name of the IANA database, `UTC`, or an offset such as `+05:30`. @throws RangeError for another */
  constructor(name: string) {
    const parts = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone: name, hourCycle: 'h23', calendar: 'gregory', ...parts });
  }

  /**
   * Converts a local time, given as ms since 1970 as if it were UTC, to ms since 1970. Of a time that the clock shows twice it takes
   * the first, and moves a time that the clock skips forward by the length of the skip.
   */
  toUtc(local: number): number {
    const day = Math.floor(local / DAY_MS);
    let offset = this.#days.get(day);
    if (offset === undefined) {
      const [before, after] = [this.#offsetAt((day - 1) * DAY_MS), this.#offsetAt((day + 2) * DAY_MS)];
      offset = before === after ? before : null;
      this.#days.set(day, offset);
    }
    return local - (offset ?? this.#offsetOfLocal(local));
  }

  #offsetOfLocal(local: number): number {
    const [before, after] = [this.#offsetAt(local - DAY_MS), this.#offsetAt(local + DAY_MS)];
    // The larger offset gives the earlier of two times.
    const fitting = [before, after].filter((offset) => this.#offsetAt(local - offset) === offset);
    return fitting.length > 0 ? Math.max(...fitting) : before;
  }

  /** @returns local time minus UTC at a time, in ms */
  #offsetAt(utc: number): number {
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(utc)) part[type] = Number(value);
    return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second) - Math.floor(utc / 1_000) * 1_000;
  }
}

/**
 * Parses the name of a time zone.
 *
 * @param field the name of the setting, for the error
 * @throws InvalidInput
 */
export function parseZone(text: string, field: string): Zone {
  try {
    return new Zone(text);
  } catch {
    throw new InvalidInput(field, 'must be a time zone such as UTC, Europe/Berlin or +05:30');
  }
}
