import { type Expression, type Insertable, type Kysely, type RawBuilder, sql } from 'kysely';
import type { EventsTable, Schema, SessionsTable } from './schema.ts';

type Type = RawBuilder<unknown>;

/** What differs between PostgreSQL and MySQL. */
export interface SqlDialect {
  readonly types: {
    /** Compared with case: uuids that differ only in case are two sessions. */
    readonly id: (length: number) => Type;
    readonly user: Type;
    readonly text: Type;
    /** A point in time, to the millisecond, independent of time zones. */
    readonly moment: Type;
  };
  /** The schema in which tables are created; null if the connection names none that exists. */
  readonly schema: RawBuilder<string | null>;
  hasIndex(db: Kysely<unknown>, table: string, name: string): Promise<boolean>;
  /** Inserts rows. An existing row is updated in these columns only, and only by a newer reading. */
  upsert(db: Kysely<Schema>, rows: readonly SessionsTable[], columns: readonly WritableColumn[]): Promise<void>;
  /** Inserts the rows whose id is not there yet. */
  append(db: Kysely<Schema>, rows: readonly EventsTable[]): Promise<void>;
}

/** Columns that a reading can write, without those that say when it was made. */
export type WritableColumn = Exclude<keyof SessionsTable, 'uuid' | 'updated_at' | 'rev'>;

type Assignments = { [Column in keyof SessionsTable]?: Expression<never> };

export const postgres: SqlDialect = {
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

/** Uses `VALUES()`, which both MySQL and MariaDB know. */
const NEWER = sql<boolean>`(values(updated_at) > updated_at or (values(updated_at) = updated_at and values(rev) > rev))`;

export const mysql: SqlDialect = {
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
    // MySQL assigns columns in order, and each assignment sees those before it: the columns that NEWER compares come last.
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
    // `INSERT IGNORE` would also hide that it had to truncate a value.
    await db
      .insertInto('session_events')
      .values(rows as Insertable<EventsTable>[])
      .onDuplicateKeyUpdate({ id: sql`session_events.id` })
      .execute();
  },
};
