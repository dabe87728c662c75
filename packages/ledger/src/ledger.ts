import { sql } from 'kysely';
import { isDeadlock, type Kind, kindOf, refusalOf } from './address.ts';
import { type Connections, connect } from './connection.ts';
import {
  eventRow,
  isOff,
  type LedgerChange,
  type LedgerEvent,
  type LedgerSession,
  readChange,
  readSession,
  sessionRow,
} from './entries.ts';
import { type Flavor, mysql, postgres, type Told } from './flavor.ts';
import { migrate } from './migrations.ts';

/** How long a database may say nothing while it is waited for, in ms. */
const SILENCE_MS = 15_000;
/** The same while tables are changed, or one waits for whoever does. */
const MIGRATING_MS = 600_000;
/** How often two writers may meet in the wrong order until it counts as a failure. */
const TRIES = 5;

const FLAVORS: Readonly<Record<Kind, Flavor>> = { postgres, mysql };

/** Which columns of a row that is there already somebody knows. */
const ALL: readonly Told[] = ['user_id', 'workspace_url', 'status', 'created_at', 'last_activity', 'slept_at', 'policy'];
const OF_A_LIFE: readonly Told[] = ['user_id', 'status', 'created_at', 'last_activity'];
const OF_AN_EVENT: readonly Told[] = ['status', 'last_activity'];

export interface Entries {
  /** By their records. At most some hundred. */
  readonly sessions: readonly LedgerSession[];
  readonly events?: readonly LedgerEvent[];
  /** The last of these uuids is all that is known of their sessions: their records are gone. */
  readonly departed?: ReadonlySet<string>;
}

/** What became of each session, in an SQL database. What fails is the driver's own error, thrown as it is. */
export class Ledger {
  readonly #url: string;
  readonly #kind: Kind;
  readonly #flavor: Flavor;
  readonly #connections: Connections;

  /**
   * Connects when it is first asked something.
   *
   * @param url `DATABASE_URL`
   * @throws InvalidInput naming `DATABASE_URL`, also where its parameters cannot be used
   */
  constructor(url: string) {
    this.#kind = kindOf(url);
    this.#url = url;
    this.#flavor = FLAVORS[this.#kind];
    this.#connections = connect(url, this.#kind, SILENCE_MS);
  }

  /**
   * Asks the database whether it is there.
   *
   * @throws InvalidInput naming `DATABASE_URL` where that must be wrong; else, where it cannot be reached, what the driver throws
   */
  async check(): Promise<void> {
    try {
      await sql`select 1`.execute(this.#connections.db);
    } catch (error) {
      throw refusalOf(error) ?? error;
    }
  }

  /**
   * Brings the tables up to date; harmless where they are, or where others do so at the same time.
   *
   * @param last the name of the migration to end with; by default all of them
   * @throws InvalidInput naming `DATABASE_URL` where waiting cannot mend what the database says, else what the driver throws
   */
  async migrate(last?: string): Promise<void> {
    // It may wait long for another one who does, or for the tables: with a patience of its own.
    const { db, close } = connect(this.#url, this.#kind, MIGRATING_MS, 2);
    try {
      await migrate(db, this.#flavor, last);
    } catch (error) {
      throw refusalOf(error) ?? error;
    } finally {
      await close();
    }
  }

  /** Writes all or nothing. A row is changed by newer readings only, and an event is written once, however often this is repeated. */
  async write({ sessions, events = [], departed = new Set() }: Entries): Promise<void> {
    const told = lastOf(events.filter(({ uuid }) => departed.has(uuid)));
    const parts: (readonly [readonly LedgerSession[], readonly Told[]])[] = [
      [sessions, ALL],
      [told.filter(({ createdAt }) => createdAt > 0), OF_A_LIFE],
      [told.filter(({ createdAt }) => createdAt === 0).map((one) => ({ ...one, createdAt: one.lastActivity })), OF_AN_EVENT],
    ];
    await this.#inOrder(async () => {
      await this.#connections.db
        .transaction()
        .setIsolationLevel('read committed')
        .execute(async (db) => {
          for (const [some, columns] of parts) {
            // In one order for all writers, so that none waits for another that waits for it.
            const rows = some.map(sessionRow).toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
            if (rows.length > 0) await this.#flavor.upsert(db, rows, columns);
          }
          const rows = events.map(eventRow).toSorted((a, b) => (a.id < b.id ? -1 : 1));
          if (rows.length > 0) await this.#flavor.append(db, rows);
        });
    });
  }

  async #inOrder(write: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await write();
      } catch (error) {
        if (!isDeadlock(error) || tries === TRIES) throw error;
      }
    }
  }

  /** Writes those whose rows are off by more than a minute of activity; answers how many that were. @param sessions at most some hundred */
  async correct(sessions: readonly LedgerSession[]): Promise<number> {
    const rows = new Map((await this.find(sessions.map(({ uuid }) => uuid))).map((row) => [row.uuid, row]));
    const off = sessions.filter((session) => isOff(rows.get(session.uuid), session));
    if (off.length > 0) await this.write({ sessions: off });
    return off.length;
  }

  /** What the ledger has of these sessions. @param uuids at most some thousand */
  async find(uuids: readonly string[]): Promise<LedgerSession[]> {
    if (uuids.length === 0) return [];
    const rows = await this.#connections.db.selectFrom('user_sessions').selectAll().where('uuid', 'in', uuids).execute();
    return rows.map(readSession);
  }

  /**
   * All sessions, deleted ones too, page by page in the order of their uuids.
   *
   * @param after the last uuid of the page before; '' at first
   */
  async sessions(after: string, limit: number): Promise<LedgerSession[]> {
    const all = this.#connections.db.selectFrom('user_sessions').selectAll();
    const rows = await all.where('uuid', '>', after).orderBy('uuid').limit(limit).execute();
    return rows.map(readSession);
  }

  /** The changes of these sessions, the oldest first. @param uuids at most some hundred */
  async changes(uuids: readonly string[]): Promise<LedgerChange[]> {
    if (uuids.length === 0) return [];
    const all = this.#connections.db.selectFrom('session_events').selectAll().where('uuid', 'in', uuids);
    return (await all.orderBy('at').orderBy('id').execute()).map(readChange);
  }

  /** How many sessions there are that are not deleted. */
  async living(): Promise<number> {
    const { db } = this.#connections;
    const query = db.selectFrom('user_sessions').select(db.fn.countAll().as('sum')).where('status', '<>', 'deleted');
    return Number((await query.executeTakeFirstOrThrow()).sum);
  }

  /** Removes events from before `time`, ms, the oldest first and at most `limit`; answers how many. */
  async forget(time: number, limit: number): Promise<number> {
    const { db } = this.#connections;
    const old = db.selectFrom('session_events').select('id').where('at', '<', new Date(time)).orderBy('at').limit(limit);
    const ids = (await old.execute()).map(({ id }) => id);
    if (ids.length > 0) await db.deleteFrom('session_events').where('id', 'in', ids).execute();
    return ids.length;
  }

  /** Lets go of the database, whatever it still has to say. */
  close(): Promise<void> {
    return this.#connections.close();
  }
}

/** What events alone tell of their sessions; `createdAt` is 0 where they do not tell of its birth. */
function lastOf(events: readonly LedgerEvent[]): LedgerSession[] {
  const sessions = new Map<string, LedgerSession>();
  for (const { uuid, userId, at, from, to, lastActivity } of events.toSorted((a, b) => a.at - b.at)) {
    const born = from === '' || (from === 'deleted' && to !== 'deleted');
    const createdAt = born ? at : (sessions.get(uuid)?.createdAt ?? 0);
    const life = { createdAt, lastActivity: lastActivity || at, sleptAt: 0, updatedAt: at, rev: 0 };
    sessions.set(uuid, { uuid, userId, workspaceUrl: '', status: to, policy: '', ...life });
  }
  return [...sessions.values()];
}
