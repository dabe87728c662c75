import { sessionView } from '@sandman/contracts';
import { type LiveReading, type SessionStore, type Status, statusOf, UUID } from '@sandman/core';
import type { RedisJournal } from '@sandman/store';
import type { Opened, SessionPage } from './wire.ts';

/** Sessions on a page of the list: what a screen holds, however many there are. */
const PAGE = 50;

export interface LookedFor {
  /** A user, or a session's uuid; empty: everybody. */
  readonly find: string;
  readonly status: Status | undefined;
  readonly cursor: string | null;
}

const view = ({ record, now }: LiveReading) => sessionView(record, now);

/** @throws InvalidInput on a cursor that is not of this list */
export async function pageOf(store: SessionStore, { find, status, cursor }: LookedFor): Promise<SessionPage> {
  if (find === '') {
    const { items, cursor: nextCursor } = await store.list({ status }, PAGE, cursor);
    return { items: items.map(view), nextCursor };
  }
  const [{ items, cursor: nextCursor }, named] = await Promise.all([
    store.list({ userId: find, status }, PAGE, cursor),
    cursor === null && UUID.test(find) ? store.read(find) : null,
  ]);
  const found = items.map(view);
  const record = named?.record;
  // Whoever gives a session's name means that one, deleted or not.
  const fits = record && (status === undefined || statusOf(record) === status);
  if (named && fits && !found.some(({ uuid }) => uuid === find)) found.unshift(view({ record, now: named.now }));
  return { items: found, nextCursor };
}

/** One session and why it is as it is; a deleted one for as long as it is remembered. */
export async function openedOf(store: SessionStore, journal: RedisJournal, uuid: string): Promise<Opened> {
  const [{ record, now }, changes] = await Promise.all([store.read(uuid), journal.history(uuid)]);
  return {
    uuid,
    session: record && view({ record, now }),
    history: changes.map(({ at, from, to, cause }) => ({ at: new Date(at).toISOString(), from: from || null, to, cause })),
  };
}
