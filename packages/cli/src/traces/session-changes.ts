import type { Page } from '@sandman/core';
import type { Ledger } from '@sandman/ledger';
import type { RecordedChange } from '@sandman/replay';
import type { RedisJournal, RedisSessionStore } from '@sandman/store';

/** What Redis or the ledger still has about a session. */
export interface SessionChanges {
  readonly uuid: string;
  /** Changes of status, the oldest first. The earliest ones may be missing. */
  readonly changes: readonly RecordedChange[];
  /** In ms; 0 if it is not known. */
  readonly lastActivity: number;
}

const PAGE = 1_000;
const LEDGER_PAGE = 500;

/** Reads the sessions from the event streams and the records in Redis. */
export async function* changesInRedis(
  journal: Pick<RedisJournal, 'beginning' | 'after'>,
  store: Pick<RedisSessionStore, 'list'>,
): AsyncGenerator<SessionChanges> {
  const changes = new Map<string, RecordedChange[]>();
  for (let position = journal.beginning(); ; ) {
    const events = await journal.after(position, PAGE);
    for (const { uuid, at, from, to, cause, lastActivity } of events) {
      const change = { at, from, to, cause, lastActivity };
      const those = changes.get(uuid);
      if (those) those.push(change);
      else changes.set(uuid, [change]);
    }
    const last = events.at(-1);
    if (!last) break;
    position = last.position;
  }
  for (let cursor: string | null = null; ; ) {
    const page: Page = await store.list({}, PAGE, cursor);
    for (const { record } of page.items) {
      yield { uuid: record.uuid, changes: changes.get(record.uuid) ?? [], lastActivity: record.lastActivity };
      changes.delete(record.uuid);
    }
    cursor = page.cursor;
    if (cursor === null) break;
  }
  // Deleted sessions have events, but are not listed.
  for (const [uuid, those] of changes) yield { uuid, changes: those, lastActivity: 0 };
}

/** Reads the sessions from the ledger, which reaches further back. */
export async function* changesInLedger(ledger: Pick<Ledger, 'sessions' | 'changes'>): AsyncGenerator<SessionChanges> {
  for (let after = ''; ; ) {
    const sessions = await ledger.sessions(after, LEDGER_PAGE);
    const changes = Map.groupBy(await ledger.changes(sessions.map(({ uuid }) => uuid)), ({ uuid }) => uuid);
    for (const { uuid, status, lastActivity } of sessions) {
      yield { uuid, changes: changes.get(uuid) ?? [], lastActivity: status === 'deleted' ? 0 : lastActivity };
    }
    const last = sessions.at(-1);
    if (!last) return;
    after = last.uuid;
  }
}
