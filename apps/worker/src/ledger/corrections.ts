import type { LiveReading } from '@sandman/core';
import { sessionOf } from '@sandman/ledger';
import type { Access } from './access.ts';

/** Readings compared at once. */
const PAGE = 250;
/** Readings that may wait, as many as a visit of the sweep shows: what is more is shown again in its next round. */
const MOST_WAITING = 1_000;

/** Compares rows with what the sweep reads, and mends those that are off. Holds nobody up: the sweep least of all. */
export class Corrections {
  readonly #access: Access;
  #waiting: LiveReading[] = [];

  constructor(access: Access) {
    this.#access = access;
  }

  show(readings: readonly LiveReading[]): void {
    const room = MOST_WAITING - this.#waiting.length;
    if (this.#access.open) this.#waiting.push(...readings.slice(0, Math.max(0, room)));
  }

  /** Looks at what was shown. Answers in how many ms it should be called again, where there is more. */
  async pass(): Promise<number | undefined> {
    const readings = this.#waiting.splice(0, PAGE);
    if (readings.length === 0) return;
    await this.#access.use((ledger) => ledger.correct(readings.map(sessionOf)));
    return this.#waiting.length > 0 ? 0 : undefined;
  }
}
