import { randomUUID } from 'node:crypto';
import type { Ledger, LedgerSession } from '@sandman/ledger';

/**
 * Writes into the ledger that a session is deleted because its pod is gone. For sessions that Redis does not know, since no
 * worker writes the ledger for those.
 *
 * @param at when the pod was found gone, in ms of Redis' clock. Rows with a later reading are left as they are
 */
export async function writeDeletionToLedger(ledger: Pick<Ledger, 'write'>, session: LedgerSession, at: number): Promise<void> {
  const { uuid, userId, status, lastActivity } = session;
  const event = { id: `gone-${randomUUID()}`, uuid, userId, at, from: status, to: 'deleted', cause: 'gone', lastActivity } as const;
  await ledger.write({ sessions: [{ ...session, status: 'deleted', updatedAt: at }], events: [event] });
}
