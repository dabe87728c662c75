import { InvalidInput } from '@sandman/core';
import { Ledger, reasonOf } from '@sandman/ledger';
import type { Logger } from '@sandman/runtime';
import { Bookkeeping, type BookkeepingOptions } from './bookkeeping.ts';

/**
 * A database that is away is waited for, by nobody but the ledger.
 *
 * @returns what begins to keep it
 * @throws InvalidInput where the address must be wrong
 */
export async function openLedger(url: string, logger: Logger): Promise<(options: Omit<BookkeepingOptions, 'ledger'>) => Bookkeeping> {
  const ledger = new Ledger(url);
  await ledger.check().catch((error) => {
    if (error instanceof InvalidInput) throw error;
    logger.warn({ reason: reasonOf(error) }, "the ledger's database cannot be reached yet");
  });
  return (options) => new Bookkeeping({ ...options, ledger });
}
