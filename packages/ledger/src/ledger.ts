import { sql } from 'kysely';
import { type DatabaseKind, databaseKindOf, isDeadlock, refusalOf } from './address.ts';
import { createDatabasePool, type DatabasePool } from './database-pool.ts';
import { migrate } from './migrations.ts';
import {
  eventRow,
  isOutdated,
  type LedgerChange,
  type LedgerEvent,
  type LedgerSession,
  readChange,
  readSession,
  sessionRow,
} from './rows.ts';
import { mysql, postgres, type SqlDialect, type WritableColumn } from './sql-dialect.ts';

/** How long the database may send nothing during a statement, in ms. */
const SILENCE_MS = 15_000;
/** The same during a migration, in ms, which changes tables or waits for another process that does. */
const MIGRATING_MS = 600_000;
/** How often a write is tried that ends in a deadlock. */
const TRIES = 5;

const SQL_DIALECTS: Readonly<Record<DatabaseKind, SqlDialect>> = { postgres, mysql };

/** Columns of an existing row that a source may update: a record, events since the session began, or later events only. */
const RECORD_COLUMNS: readonly WritableColumn[] = [
  'user_id',
  'workspace_url',
  'status',
  'created_at',
  'last_activity',
  'slept_at',
  'policy',
  'keep_until',
];
const ALL_EVENTS_COLUMNS: readonly WritableColumn[] = ['user_id', 'status', 'created_at', 'last_activity'];
const LATER_EVENTS_COLUMNS: readonly WritableColumn[] = ['status', 'last_activity'];

export interface LedgerWrite {
  /** Sessions as their records say. At most some hundred. */
  readonly sessions: readonly LedgerSession[];
  readonly events?: readonly LedgerEvent[];
  /** Sessions whose records are gone: the last event of each says what is known of it. */
  readonly withoutRecord?: ReadonlySet<string>;
}

/** Keeps sessions and their changes in an SQL database. Errors of the driver are thrown as they are. */
export class Ledger {
  readonly #url: string;
  readonly #kind: DatabaseKind;
  readonly #dialect: SqlDialect;
  readonly #connections: DatabasePool;

  /**
   * Connects at the first statement, not here.
   *
   * @param url `DATABASE_URL`
   * @throws InvalidInput naming `DATABASE_URL` if it is malformed or its parameters cannot be used
   */
  constructor(url: string) {
    this.#kind = databaseKindOf(url);
    this.#url = url;
    this.#dialect = SQL_DIALECTS[this.#kind];
    this.#connections = createDatabasePool(url, this.#kind, SILENCE_MS);
  }

  /**
   * Checks that the database answers.
   *
   * @throws InvalidInput naming `DATABASE_URL` if a retry cannot cure the error; else the driver's error
   */
  async check(): Promise<void> {
    try {
      await sql`select 1`.execute(this.#connections.db);
    } catch (error) {
      throw refusalOf(error) ?? error;
    }
  }

  /**
   * Brings the tables up to date. Harmless if they are, or if other processes do so at the same time.
   *
   * @param last the name of the migration to end with; by default all of them
   * @throws InvalidInput naming `DATABASE_URL` if a retry cannot cure the error; else the driver's error
   */
  async migrate(last?: string): Promise<void> {
    // Own connections with a longer time-out: it may wait long for another process that migrates, or for locks on the tables.
    const { db, close } = createDatabasePool(this.#url, this.#kind, MIGRATING_MS, 2);
    try {
      await migrate(db, this.#dialect, last);
    } catch (error) {
      throw refusalOf(error) ?? error;
    } finally {
      await close();
    }
  }

  /** Writes all or nothing. Only a newer reading changes a row, and an event is written once, even if the call is repeated. */
  async write({ sessions, events = [], withoutRecord = new Set() }: LedgerWrite): Promise<void> {
    const known = sessionsFromEvents(events.filter(({ uuid }) => withoutRecord.has(uuid)));
    const parts: (readonly [readonly LedgerSession[], readonly WritableColumn[]])[] = [
      [sessions, RECORD_COLUMNS],
      [known.filter(({ createdAt }) => createdAt > 0), ALL_EVENTS_COLUMNS],
      [known.filter(({ createdAt }) => createdAt === 0).map((one) => ({ ...one, createdAt: one.lastActivity })), LATER_EVENTS_COLUMNS],
    ];
    await this.#retryDeadlocks(async () => {
      await this.#connections.db
        .transaction()
        .setIsolationLevel('read committed')
        .execute(async (db) => {
          for (const [some, columns] of parts) {
            // All writers use the same order, so that two of them do not deadlock.
            const rows = some.map(sessionRow).toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
            if (rows.length > 0) await this.#dialect.upsert(db, rows, columns);
          }
          const rows = events.map(eventRow).toSorted((a, b) => (a.id < b.id ? -1 : 1));
          if (rows.length > 0) await this.#dialect.append(db, rows);
        });
    });
  }

  async #retryDeadlocks(write: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await write();
      } catch (error) {
        if (!isDeadlock(error) || tries === TRIES) throw error;
      }
    }
  }

  /**
   * Writes the sessions whose rows are missing, differ, or are off by 1 min of activity or more.
   *
   * @param sessions at most some hundred
   * @returns how many were written
   */
  async correct(sessions: readonly LedgerSession[]): Promise<number> {
    const rows = new Map((await this.find(sessions.map(({ uuid }) => uuid))).map((row) => [row.uuid, row]));
    const off = sessions.filter((session) => isOutdated(rows.get(session.uuid), session));
    if (off.length > 0) await this.write({ sessions: off });
    return off.length;
  }

  /** Reads the rows of these sessions. @param uuids at most some thousand */
  async find(uuids: readonly string[]): Promise<LedgerSession[]> {
    if (uuids.length === 0) return [];
    const rows = await this.#connections.db.selectFrom('user_sessions').selectAll().where('uuid', 'in', uuids).execute();
    return rows.map(readSession);
  }

  /**
   * Reads a page of all sessions, with the deleted ones, in the order of their uuids.
   *
   * @param after the last uuid of the page before; '' at first
   */
  async sessions(after: string, limit: number): Promise<LedgerSession[]> {
    const all = this.#connections.db.selectFrom('user_sessions').selectAll();
    const rows = await all.where('uuid', '>', after).orderBy('uuid').limit(limit).execute();
    return rows.map(readSession);
  }

  /** Reads the changes of these sessions, the oldest first. @param uuids at most some hundred */
  async changes(uuids: readonly string[]): Promise<LedgerChange[]> {
    if (uuids.length === 0) return [];
    const all = this.#connections.db.selectFrom('session_events').selectAll().where('uuid', 'in', uuids);
    return (await all.orderBy('at').orderBy('id').execute()).map(readChange);
  }

  /** Counts the sessions that are not deleted. */
  async living(): Promise<number> {
    const { db } = this.#connections;
    const query = db.selectFrom('user_sessions').select(db.fn.countAll().as('sum')).where('status', '<>', 'deleted');
    return Number((await query.executeTakeFirstOrThrow()).sum);
  }

  /** Removes events from before `time` (ms), the oldest first and at most `limit`. @returns how many were removed */
  async forget(time: number, limit: number): Promise<number> {
    const { db } = this.#connections;
    const old = db.selectFrom('session_events').select('id').where('at', '<', new Date(time)).orderBy('at').limit(limit);
    const ids = (await old.execute()).map(({ id }) => id);
    if (ids.length > 0) await db.deleteFrom('session_events').where('id', 'in', ids).execute();
    return ids.length;
  }

  /** Closes all connections without waiting for statements in progress. */
  close(): Promise<void> {
    return this.#connections.close();
  }
}

/** Derives sessions from events alone; `createdAt` is 0 if the events do not include the session's first change. */
function sessionsFromEvents(events: readonly LedgerEvent[]): LedgerSession[] {
  const sessions = new Map<string, LedgerSession>();
  for (const { uuid, userId, at, from, to, lastActivity } of events.toSorted((a, b) => a.at - b.at)) {
    const born = from === '' || (from === 'deleted' && to !== 'deleted');
    const createdAt = born ? at : (sessions.get(uuid)?.createdAt ?? 0);
    const times = { createdAt, lastActivity: lastActivity || at, sleptAt: 0, keepUntil: 0, updatedAt: at, rev: 0 };
    sessions.set(uuid, { uuid, userId, workspaceUrl: '', status: to, policy: '', ...times });
  }
  return [...sessions.values()];
}
