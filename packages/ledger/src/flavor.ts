import { type Expression, type Insertable, type Kysely, type RawBuilder, sql } from 'kysely';
import type { EventsTable, Schema, SessionsTable } from './schema.ts';

type Type = RawBuilder<unknown>;

/** In what the two databases differ. */
export interface Flavor {
  readonly types: {
    /** Compared letter by letter: uuids that differ in case are two sessions. */
    readonly id: (length: number) => Type;
    readonly user: Type;
    readonly text: Type;
    /** To the millisecond, whatever zone anybody lives in. */
    readonly moment: Type;
  };
  /** The schema that tables are made in; null where the connection names none that exists. */
  readonly schema: RawBuilder<string | null>;
  hasIndex(db: Kysely<unknown>, table: string, name: string): Promise<boolean>;
  /** Writes rows; one that is there is changed in these columns, and only by a newer reading. */
  upsert(db: Kysely<Schema>, rows: readonly SessionsTable[], columns: readonly Told[]): Promise<void>;
  /** Writes those that are not there. */
  append(db: Kysely<Schema>, rows: readonly EventsTable[]): Promise<void>;
}

/** What a reading tells, beside when it was made. */
export type Told = Exclude<keyof SessionsTable, 'uuid' | 'updated_at' | 'rev'>;

type Assignments = { [Column in keyof SessionsTable]?: Expression<never> };

export const postgres: Flavor = {
  types: {
    id: (length) => sql`varchar(${sql.lit(length)}) collate "C"`,
    user: sql`varchar(255)`,
    text: sql`text`,
    moment: sql`timestamptz(3)`,
  },
  schema: sql`current_schema()`,
  async hasIndex(db, table, name) {
    const { rows } = await sql`select 1 from pg_indexes
      where schemaname = current_schema() and tablename = ${table} and indexname = ${name}`.execute(db);
    return rows.length > 0;
  },
  async upsert(db, rows, columns) {
    const assigned = [...columns, 'rev', 'updated_at'].map((name) => [name, sql`excluded.${sql.ref(name)}`]);
    await db
      .insertInto('user_sessions')
      .values(rows as Insertable<SessionsTable>[])
      .onConflict((conflict) =>
        conflict
          .column('uuid')
          .doUpdateSet(Object.fromEntries(assigned) as Assignments)
          .where(sql<boolean>`(excluded.updated_at, excluded.rev) > (user_sessions.updated_at, user_sessions.rev)`),
      )
      .execute();
  },
  async append(db, rows) {
    await db
      .insertInto('session_events')
      .values(rows as Insertable<EventsTable>[])
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  },
};

/** `VALUES()` is what MySQL and MariaDB both understand. */
const NEWER = sql<boolean>`(values(updated_at) > updated_at or (values(updated_at) = updated_at and values(rev) > rev))`;

export const mysql: Flavor = {
  types: {
    id: (length) => sql`varchar(${sql.lit(length)}) character set ascii collate ascii_bin`,
    user: sql`varchar(255) character set utf8mb4 collate utf8mb4_bin`,
    text: sql`text character set utf8mb4 collate utf8mb4_bin`,
    moment: sql`datetime(3)`,
  },
  schema: sql`database()`,
  async hasIndex(db, table, name) {
    const { rows } = await sql`select 1 from information_schema.statistics
      where table_schema = database() and table_name = ${table} and index_name = ${name} limit 1`.execute(db);
    return rows.length > 0;
  },
  async upsert(db, rows, columns) {
    // One after the other, each seeing those before it: what is compared changes last.
    const assigned = [...columns, 'rev', 'updated_at'].map((name) => {
      const column = sql.ref(name);
      return [name, sql`if(${NEWER}, values(${column}), ${column})`];
    });
    await db
      .insertInto('user_sessions')
      .values(rows as Insertable<SessionsTable>[])
      .onDuplicateKeyUpdate(Object.fromEntries(assigned) as Assignments)
      .execute();
  },
  async append(db, rows) {
    // `INSERT IGNORE` would keep silent about rows that it had to mutilate, too.
    await db
      .insertInto('session_events')
      .values(rows as Insertable<EventsTable>[])
      .onDuplicateKeyUpdate({ id: sql`session_events.id` })
      .execute();
  },
};
