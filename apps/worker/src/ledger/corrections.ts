import type { LiveReading } from '@sandman/core';
import { sessionOf } from '@sandman/ledger';
import type { Access } from './access.ts';

/** Readings compared in one statement. */
const PAGE = 250;
/** Readings that may wait, as many as one visit of the sweep reads. Further ones are dropped, and come again in its next round. */
const MOST_WAITING = 1_000;

/** Compares rows with the records that the sweep reads, and corrects rows that differ. It does not delay the sweep. */
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

  /**
   * Compares up to 250 of the waiting readings.
   *
   * @returns 0 if more are waiting: call it again at once; else undefined
   */
  async pass(): Promise<number | undefined> {
    const readings = this.#waiting.splice(0, PAGE);
    if (readings.length === 0) return;
    await this.#access.use((ledger) => ledger.correct(readings.map(sessionOf)));
    return this.#waiting.length > 0 ? 0 : undefined;
  }
}
