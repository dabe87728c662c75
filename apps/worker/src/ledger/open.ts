import { InvalidInput } from '@sandman/core';
import { Ledger, reasonOf } from '@sandman/ledger';
import { type Logger, system } from '@sandman/runtime';
import { LedgerWriter, type LedgerWriterOptions } from './ledger-writer.ts';

/** The longest time a worker's start waits for the migration of the tables, in ms; after that it continues in the background. */
const MIGRATION_WAIT_MS = 10_000;

/**
 * Connects to the ledger's database and migrates its tables. If the database is away, the worker starts all the same, and the
 * ledger writer retries later.
 *
 * @returns a function that starts the ledger writer
 * @throws InvalidInput naming `DATABASE_URL` if waiting cannot fix the error
 */
export async function openLedger(url: string, logger: Logger): Promise<(options: Omit<LedgerWriterOptions, 'ledger'>) => LedgerWriter> {
  const ledger = new Ledger(url);
  const tables = ledger.check().then(() => ledger.migrate());
  await Promise.race([tables, system.pause(MIGRATION_WAIT_MS)]).catch((error) => {
    if (error instanceof InvalidInput) throw error;
    logger.warn({ reason: reasonOf(error) }, "the ledger's database cannot be reached yet");
  });
  // A failure after the start is found and logged by the first write, so it is ignored here.
  tables.catch(() => {});
  return (options) => new LedgerWriter({ ...options, ledger });
}
