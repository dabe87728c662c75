import { sessionView } from '@sandman/contracts';
import {
  ALARM_NAMES,
  type AlarmClock,
  hasGrace,
  type LiveReading,
  type SessionRecord,
  type SessionStore,
  type Status,
  statusOf,
  UUID,
} from '@sandman/core';
import type { RedisJournal, RedisSessionStore } from '@sandman/store';
import { jobPath } from './board.ts';
import type { SessionAlarm, SessionDetails, SessionPage, ShownSession } from './wire.ts';

/** Sessions on one page of the list. */
const PAGE = 50;

export interface SessionQuery {
  /** A user id or a session's uuid; empty: all sessions. */
  readonly find: string;
  /** `failing` selects sessions whose calls to the session-manager fail, whatever their status. */
  readonly status: Status | 'failing' | undefined;
  readonly cursor: string | null;
}

/** Returns a session as the page shows it. */
export function shownSession({ record, now }: LiveReading): ShownSession {
  return { ...sessionView(record, now), inGrace: record.wanted === 'asleep' && hasGrace(record) };
}

/**
 * Returns one page of the list of sessions.
 *
 * @throws InvalidInput on a cursor that is not of this list
 */
export async function sessionPage(store: RedisSessionStore, { find, status, cursor }: SessionQuery): Promise<SessionPage> {
  if (status === 'failing') {
    const { first } = await store.failing(PAGE);
    const named = first.filter(({ record }) => find === '' || record.userId === find || record.uuid === find);
    return { items: named.map(shownSession), nextCursor: null };
  }
  if (find === '') {
    const { items, cursor: nextCursor } = await store.list({ status }, PAGE, cursor);
    return { items: items.map(shownSession), nextCursor };
  }
  const [{ items, cursor: nextCursor }, named] = await Promise.all([
    store.list({ userId: find, status }, PAGE, cursor),
    cursor === null && UUID.test(find) ? store.read(find) : null,
  ]);
  const found = items.map(shownSession);
  const record = named?.record;
  // A search for a uuid also finds that session if it is deleted.
  const fits = record && (status === undefined || statusOf(record) === status);
  if (named && fits && !found.some(({ uuid }) => uuid === find)) found.unshift(shownSession({ record, now: named.now }));
  return { items: found, nextCursor };
}

export interface DetailSources {
  readonly store: SessionStore;
  readonly journal: RedisJournal;
  readonly alarms: AlarmClock;
}

/** Returns the alarms of a session that exist, in the order in which they ring. */
async function sessionAlarms({ store, alarms }: DetailSources, { uuid, n }: SessionRecord): Promise<SessionAlarm[]> {
  const found = ALARM_NAMES.map(async (name) => ({
    name,
    at: await alarms.rings({ name, uuid, n }),
    path: jobPath({ name, uuid, n }, store.shards),
  }));
  return (await Promise.all(found)).filter((alarm): alarm is SessionAlarm => alarm.at !== null).sort((a, b) => a.at - b.at);
}

/** Returns one session with its alarms and its history; a deleted one as long as its tombstone is kept. */
export async function sessionDetails(sources: DetailSources, uuid: string): Promise<SessionDetails> {
  const [{ record, now }, changes] = await Promise.all([sources.store.read(uuid), sources.journal.history(uuid)]);
  return {
    uuid,
    session: record && shownSession({ record, now }),
    alarms: record ? await sessionAlarms(sources, record) : [],
    history: changes.map(({ at, from, to, cause }) => ({ at: new Date(at).toISOString(), from: from || null, to, cause })),
  };
}
