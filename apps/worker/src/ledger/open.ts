import { InvalidInput } from '@sandman/core';
import { Ledger, reasonOf } from '@sandman/ledger';
import { type Logger, surroundings } from '@sandman/runtime';
import { Bookkeeping, type BookkeepingOptions } from './bookkeeping.ts';

/** How long a worker's start waits at most for the tables, in ms; then they are brought up to date beside its work. */
const TABLES_MS = 10_000;

/**
 * Connects to the ledger's database and brings its tables up to date. A database that is away is waited for later, by
 * the ledger alone.
 *
 * @returns a function that begins to keep the ledger
 * @throws InvalidInput naming `DATABASE_URL` where waiting cannot mend what is wrong
 */
export async function openLedger(url: string, logger: Logger): Promise<(options: Omit<BookkeepingOptions, 'ledger'>) => Bookkeeping> {
  const ledger = new Ledger(url);
  const tables = ledger.check().then(() => ledger.migrate());
  await Promise.race([tables, surroundings.pause(TABLES_MS)]).catch((error) => {
    if (error instanceof InvalidInput) throw error;
    logger.warn({ reason: reasonOf(error) }, "the ledger's database cannot be reached yet");
  });
  // What fails after the start is found, and logged, by the first who wants to write.
  tables.catch(() => {});
  return (options) => new Bookkeeping({ ...options, ledger });
}
