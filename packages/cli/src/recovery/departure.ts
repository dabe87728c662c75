import { randomUUID } from 'node:crypto';
import type { Ledger, LedgerSession } from '@sandman/ledger';

/**
 * Tells the ledger that a session's pod is no more, where nobody else will: Redis does not know the session.
 *
 * @param at when that was found, ms of Redis' clock: what has been written since stands
 */
export async function writeOff(ledger: Pick<Ledger, 'write'>, session: LedgerSession, at: number): Promise<void> {
  const { uuid, userId, status, lastActivity } = session;
  const event = { id: `gone-${randomUUID()}`, uuid, userId, at, from: status, to: 'deleted', cause: 'gone', lastActivity } as const;
  await ledger.write({ sessions: [{ ...session, status: 'deleted', updatedAt: at }], events: [event] });
}
