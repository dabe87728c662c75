import { type Ledger, reasonOf, refusalOf } from '@sandman/ledger';
import type { Surroundings } from '@sandman/lifecycle';
import type { Logger } from '@sandman/runtime';

/** The shortest and longest pause between tries while the database is away, in ms. Pauses double, with jitter to spread the workers. */
const SHORTEST_MS = 250;
const LONGEST_MS = 15_000;

/** Gives access to a database that may be away for a while. All users in this process share one backoff. */
export class Access {
  readonly #ledger: Ledger;
  readonly #surroundings: Surroundings;
  readonly #logger: Logger;
  #tables: Promise<void> | null = null;
  #pause = 0;
  /** Whether an error that waiting cannot fix was logged already. */
  #isRefused = false;
  #retryAt = 0;
  #closing = false;

  constructor(ledger: Ledger, surroundings: Surroundings, logger: Logger) {
    this.#ledger = ledger;
    this.#surroundings = surroundings;
    this.#logger = logger;
  }

  /** Whether a try is due now. */
  get open(): boolean {
    return !this.#closing && this.#surroundings.elapsed() >= this.#retryAt;
  }

  /** Makes sure that the tables exist, then runs `work`. Returns false if that failed, or if no try is due yet. Never throws. */
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
    // Several uses may fail at the same moment; only the first makes the pause longer.
    if (this.open) this.#pause = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, 2 * this.#pause));
    this.#retryAt = this.#surroundings.elapsed() + this.#pause * (0.5 + this.#surroundings.chance() / 2);
  }

  /** Closes the connections, even if statements are still running. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#ledger.close();
  }
}
