import { exponentialBackoff } from '@sandman/core';
import { type Ledger, reasonOf, refusalOf } from '@sandman/ledger';
import type { System } from '@sandman/lifecycle';
import type { Logger } from '@sandman/runtime';

/** The waits between tries while the database is away. */
const BACKOFF = { first: 250, longest: 15_000, jitter: 0.5 };

/** Gives access to a database that may be away for a while. All users in this process share one backoff. */
export class RetryingLedger {
  readonly #ledger: Ledger;
  readonly #system: System;
  readonly #logger: Logger;
  #tables: Promise<void> | null = null;
  /** Tries that failed in a row. */
  #failures = 0;
  /** Whether an error that waiting cannot fix was logged already. */
  #isRefused = false;
  #retryAt = 0;
  #closing = false;

  constructor(ledger: Ledger, system: System, logger: Logger) {
    this.#ledger = ledger;
    this.#system = system;
    this.#logger = logger;
  }

  /** Whether a try is due now. */
  get isTryDue(): boolean {
    return !this.#closing && this.#system.elapsed() >= this.#retryAt;
  }

  /** Makes sure that the tables exist, then runs `work`. Returns false if that failed, or if no try is due yet. Never throws. */
  async attempt(work: (ledger: Ledger) => Promise<unknown>): Promise<boolean> {
    if (!this.isTryDue) return false;
    try {
      this.#tables ??= this.#ledger.migrate();
      await this.#tables.catch((error) => {
        this.#tables = null;
        throw error;
      });
      await work(this.#ledger);
    } catch (error) {
      this.#failed(error);
      return false;
    }
    if (this.#failures > 0) this.#logger.info('the ledger is written again');
    this.#failures = 0;
    this.#isRefused = false;
    return true;
  }

  #failed(error: unknown): void {
    if (this.#closing) return;
    const refusal = refusalOf(error);
    if (refusal && !this.#isRefused) {
      this.#isRefused = true;
      this.#logger.error({ reason: refusal.message }, 'the ledger is not written until its database is changed');
    } else if (this.#failures === 0) this.#logger.warn({ reason: reasonOf(error) }, 'the ledger waits for its database');
    // Several uses may fail at the same moment; only the first makes the wait longer.
    if (this.isTryDue) this.#failures++;
    this.#retryAt = this.#system.elapsed() + exponentialBackoff(BACKOFF, this.#failures, this.#system.random());
  }

  /** Closes the connections, even if statements are still running. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#ledger.close();
  }
}
