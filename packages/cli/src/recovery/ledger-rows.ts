import { type LiveStatus, type Policy, type PolicySet, parsePolicy } from '@sandman/core';
import type { Ledger, LedgerSession } from '@sandman/ledger';

const PAGE = 500;

/** Yields all sessions of the ledger, page by page. */
export async function* pagesOf(ledger: Pick<Ledger, 'sessions'>): AsyncGenerator<readonly LedgerSession[]> {
  for (let after = ''; ; ) {
    const page = await ledger.sessions(after, PAGE);
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.uuid;
  }
}

export type LivingSession = LedgerSession & { readonly status: LiveStatus };

export function isLiving(session: LedgerSession): session is LivingSession {
  return session.status !== 'deleted';
}

/** Returns a session's policy in the ledger, with its present values; null if no policy of that name exists any more. */
export function currentPolicyOf({ policy }: LedgerSession, book: PolicySet): Policy | null {
  try {
    return typeof policy === 'string' ? book.resolve(policy) : parsePolicy('custom', policy, 'policy');
  } catch {
    return null;
  }
}
