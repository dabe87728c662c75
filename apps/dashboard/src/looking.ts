import { sessionView } from '@sandman/contracts';
import {
  ALARM_NAMES,
  type AlarmClock,
  type LiveReading,
  type SessionRecord,
  type SessionStore,
  type Status,
  statusOf,
  UUID,
} from '@sandman/core';
import type { RedisJournal, RedisSessionStore } from '@sandman/store';
import { jobPath } from './board.ts';
import type { Alarm, Opened, SessionPage } from './wire.ts';

/** Sessions on one page of the list. */
const PAGE = 50;

export interface LookedFor {
  /** A user id or a session's uuid; empty: all sessions. */
  readonly find: string;
  /** `failing` selects sessions whose calls to the session-manager fail, whatever their status. */
  readonly status: Status | 'failing' | undefined;
  readonly cursor: string | null;
}

const view = ({ record, now }: LiveReading) => sessionView(record, now);

/**
 * Returns one page of the list of sessions.
 *
 * @throws InvalidInput on a cursor that is not of this list
 */
export async function pageOf(store: RedisSessionStore, { find, status, cursor }: LookedFor): Promise<SessionPage> {
  if (status === 'failing') {
    const { first } = await store.failing(PAGE);
    const named = first.filter(({ record }) => find === '' || record.userId === find || record.uuid === find);
    return { items: named.map(view), nextCursor: null };
  }
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
  // A search for a uuid also finds that session if it is deleted.
  const fits = record && (status === undefined || statusOf(record) === status);
  if (named && fits && !found.some(({ uuid }) => uuid === find)) found.unshift(view({ record, now: named.now }));
  return { items: found, nextCursor };
}

export interface OpenedSources {
  readonly store: SessionStore;
  readonly journal: RedisJournal;
  readonly alarms: AlarmClock;
}

/** Returns the alarms of a session that exist, in the order in which they ring. */
async function alarmsOf({ store, alarms }: OpenedSources, { uuid, n }: SessionRecord): Promise<Alarm[]> {
  const found = ALARM_NAMES.map(async (name) => ({
    name,
    at: await alarms.rings({ name, uuid, n }),
    path: jobPath({ name, uuid, n }, store.shards),
  }));
  return (await Promise.all(found)).filter((alarm): alarm is Alarm => alarm.at !== null).sort((a, b) => a.at - b.at);
}

/** Returns one session with its alarms and its history; a deleted one as long as its tombstone is kept. */
export async function openedOf(sources: OpenedSources, uuid: string): Promise<Opened> {
  const [{ record, now }, changes] = await Promise.all([sources.store.read(uuid), sources.journal.history(uuid)]);
  return {
    uuid,
    session: record && view({ record, now }),
    alarms: record ? await alarmsOf(sources, record) : [],
    history: changes.map(({ at, from, to, cause }) => ({ at: new Date(at).toISOString(), from: from || null, to, cause })),
  };
}
