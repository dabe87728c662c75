import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { unusable } from './address.ts';
import type { Schema } from './schema.ts';
import type { SqlDialect } from './sql-dialect.ts';

// biome-ignore lint/suspicious/noExplicitAny: each migration has tables of its own time.
type Database = Kysely<any>;

/** Lists a table's columns; none if the ledger's schema has no such table. */
async function columnsOf(db: Database, { schema }: SqlDialect, table: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select column_name as name from information_schema.columns
    where table_schema = ${schema} and table_name = ${table}`.execute(db);
  return rows.map(({ name }) => name);
}

/** Adds a column unless it is there. MySQL commits each statement by itself, so an interrupted migration must be able to run again. */
async function ensureColumn(db: Database, flavor: SqlDialect, table: string, column: string, add: () => Promise<void>): Promise<void> {
  if (!(await columnsOf(db, flavor, table)).includes(column)) await add();
}

async function index(db: Database, flavor: SqlDialect, name: string, table: string, columns: string[]): Promise<void> {
  if (await flavor.hasIndex(db, table, name)) return;
  await db.schema.createIndex(name).on(table).columns(columns).execute();
}

/** Returns the migrations by name, in their order. Never change a released one; add a new one. */
function migrations(flavor: SqlDialect): Record<string, Migration> {
  const { id, user, text, moment } = flavor.types;
  return {
    '1-tables': {
      async up(db: Database) {
        await db.schema
          .createTable('user_sessions')
          .ifNotExists()
          .addColumn('uuid', id(64), (column) => column.primaryKey())
          .addColumn('user_id', user, (column) => column.notNull())
          .addColumn('workspace_url', text, (column) => column.notNull())
          .addColumn('status', 'varchar(20)', (column) => column.notNull())
          .addColumn('created_at', moment, (column) => column.notNull())
          .addColumn('last_activity', moment, (column) => column.notNull())
          .addColumn('slept_at', moment)
          .addColumn('policy', 'varchar(255)', (column) => column.notNull())
          .addColumn('updated_at', moment, (column) => column.notNull())
          .execute();
        await index(db, flavor, 'user_sessions_user_id', 'user_sessions', ['user_id']);
        await index(db, flavor, 'user_sessions_last_activity', 'user_sessions', ['last_activity']);
        await db.schema
          .createTable('session_events')
          .ifNotExists()
          .addColumn('id', id(64), (column) => column.primaryKey())
          .addColumn('uuid', id(64), (column) => column.notNull())
          .addColumn('at', moment, (column) => column.notNull())
          .addColumn('from_status', 'varchar(20)')
          .addColumn('to_status', 'varchar(20)', (column) => column.notNull())
          .addColumn('cause', 'varchar(20)', (column) => column.notNull())
          .execute();
        await index(db, flavor, 'session_events_uuid_at', 'session_events', ['uuid', 'at']);
        await index(db, flavor, 'session_events_at', 'session_events', ['at']);
      },
    },
    '2-readings': {
      async up(db: Database) {
        await ensureColumn(db, flavor, 'user_sessions', 'rev', () =>
          db.schema
            .alterTable('user_sessions')
            .addColumn('rev', 'bigint', (column) => column.notNull().defaultTo(0))
            .execute(),
        );
        await ensureColumn(db, flavor, 'session_events', 'last_activity', () =>
          db.schema.alterTable('session_events').addColumn('last_activity', moment).execute(),
        );
      },
    },
    // May be null, because workers of an older version go on inserting rows without it.
    '3-keep': {
      async up(db: Database) {
        await ensureColumn(db, flavor, 'user_sessions', 'keep_until', () =>
          db.schema.alterTable('user_sessions').addColumn('keep_until', moment).execute(),
        );
      },
    },
  };
}

/** Columns that the first migration creates. A table of the same name without one of them belongs to another application. */
const FIRST_COLUMNS: { readonly [Table in keyof Schema]: readonly (keyof Schema[Table])[] } = {
  user_sessions: ['uuid', 'user_id', 'workspace_url', 'status', 'created_at', 'last_activity', 'slept_at', 'policy', 'updated_at'],
  session_events: ['id', 'uuid', 'at', 'from_status', 'to_status', 'cause'],
};

/** @throws InvalidInput if a table with one of the ledger's names is not the ledger's */
async function assertOwnTables(db: Database, flavor: SqlDialect): Promise<void> {
  for (const [table, columns] of Object.entries(FIRST_COLUMNS)) {
    const found = await columnsOf(db, flavor, table);
    const missing = found.length === 0 ? [] : columns.filter((column) => !found.includes(column));
    if (missing.length > 0) throw unusable(`its table ${table} is not the ledger's, it has no ${missing.join(', ')}`);
  }
}

/** Tries the kinds of statements that the ledger uses, without changing a row. @throws the driver's error if one is refused */
async function assertWritable(db: Database): Promise<void> {
  await sql`insert into user_sessions select * from user_sessions where 1 = 0`.execute(db);
  await sql`update user_sessions set uuid = uuid where 1 = 0`.execute(db);
  await sql`insert into session_events select * from session_events where 1 = 0`.execute(db);
  await sql`delete from session_events where 1 = 0`.execute(db);
}

/**
 * Brings the tables up to date in the schema of the connection. If several processes call this at once, one does it and the
 * others wait.
 *
 * @param last the name of the migration to end with; by default all of them
 * @throws InvalidInput if the tables belong to another application; else the driver's error
 */
export async function migrate(db: Database, flavor: SqlDialect, last?: string): Promise<void> {
  const { rows } = await sql<{ schema: string | null }>`select ${flavor.schema} as ${sql.ref('schema')}`.execute(db);
  const schema = rows[0]?.schema;
  if (!schema) throw unusable('its search_path names no schema that exists');
  await assertOwnTables(db, flavor);
  const all = migrations(flavor);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => all },
    // Without it Kysely takes the migration tables of another schema for these.
    migrationTableSchema: schema,
    // Another application that uses Kysely in the same database has tables of the default names.
    migrationTableName: 'sandman_migrations',
    migrationLockTableName: 'sandman_migrations_lock',
  });
  // If all of this version's migrations are done, the migrator is skipped: it fails on those that a newer version has added.
  const isDone = !last && (await migrator.getMigrations()).every(({ executedAt }) => executedAt);
  if (!isDone) {
    const { error } = await (last ? migrator.migrateTo(last) : migrator.migrateToLatest());
    if (error) throw error;
  }
  await assertWritable(db);
}
