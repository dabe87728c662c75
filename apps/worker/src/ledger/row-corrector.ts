import type { LiveReading } from '@sandman/core';
import { sessionOf } from '@sandman/ledger';
import type { RoundEnd } from '@sandman/lifecycle';
import type { RetryingLedger } from './retrying-ledger.ts';

/** Readings compared in one statement. */
const PAGE = 250;
/** Readings that may wait, as many as one visit of the sweep reads. Further ones are dropped, and come again in its next round. */
const MOST_WAITING = 1_000;

/** Compares rows with the records that the sweep reads, and corrects rows that differ. It does not delay the sweep. */
export class RowCorrector {
  readonly #ledger: RetryingLedger;
  #waiting: LiveReading[] = [];

  constructor(access: RetryingLedger) {
    this.#ledger = access;
  }

  enqueue(readings: readonly LiveReading[]): void {
    const room = MOST_WAITING - this.#waiting.length;
    if (this.#ledger.isTryDue) this.#waiting.push(...readings.slice(0, Math.max(0, room)));
  }

  /**
   * Compares up to 250 of the waiting readings.
   *
   * @returns that it is to be called again at once, if more are waiting
   */
  async correctNext(): Promise<RoundEnd> {
    const readings = this.#waiting.splice(0, PAGE);
    if (readings.length === 0) return;
    await this.#ledger.attempt((ledger) => ledger.correct(readings.map(sessionOf)));
    return this.#waiting.length > 0 ? { again: 0 } : undefined;
  }
}
