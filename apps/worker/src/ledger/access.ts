import { type Ledger, reasonOf, refusalOf } from '@sandman/ledger';
import type { Surroundings } from '@sandman/lifecycle';
import type { Logger } from '@sandman/runtime';

/** The pauses between tries while the database is away, in ms: they double, and vary by half so that not all workers come at once. */
const SHORTEST_MS = 250;
const LONGEST_MS = 15_000;

/** The way to a database that may be away for a while: one try after the other for all who want something of it. */
export class Access {
  readonly #ledger: Ledger;
  readonly #surroundings: Surroundings;
  readonly #logger: Logger;
  #tables: Promise<void> | null = null;
  #pause = 0;
  /** Whether it was logged that waiting will not mend what is wrong. */
  #isRefused = false;
  #retryAt = 0;
  #closing = false;

  constructor(ledger: Ledger, surroundings: Surroundings, logger: Logger) {
    this.#ledger = ledger;
    this.#surroundings = surroundings;
    this.#logger = logger;
  }

  /** Whether it is worth a try now. */
  get open(): boolean {
    return !this.#closing && this.#surroundings.elapsed() >= this.#retryAt;
  }

  /** Does something with the database, its tables being there; false where that failed, or had to fail just before. Never throws. */
  async use(work: (ledger: Ledger) => Promise<unknown>): Promise<boolean> {
    if (!this.open) return false;
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
    if (this.#pause > 0) this.#logger.info('the ledger is written again');
    this.#pause = 0;
    this.#isRefused = false;
    return true;
  }

  #failed(error: unknown): void {
    if (this.#closing) return;
    const refusal = refusalOf(error);
    if (refusal && !this.#isRefused) {
      this.#isRefused = true;
      this.#logger.error({ reason: refusal.message }, 'the ledger is not written until its database is changed');
    } else if (this.#pause === 0) this.#logger.warn({ reason: reasonOf(error) }, 'the ledger waits for its database');
    // Others may have failed in the same instant: they do not make it longer.
    if (this.open) this.#pause = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, 2 * this.#pause));
    this.#retryAt = this.#surroundings.elapsed() + this.#pause * (0.5 + this.#surroundings.chance() / 2);
  }

  /** Lets go of the database, whatever still runs there. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#ledger.close();
  }
}
