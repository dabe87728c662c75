import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Flavor } from './flavor.ts';

// biome-ignore lint/suspicious/noExplicitAny: each migration has tables of its own time.
type Database = Kysely<any>;

/** MySQL commits each statement by itself: a migration that was cut short must be able to run again. */
async function unlessThere(db: Database, table: string, column: string, add: () => Promise<void>): Promise<void> {
  const tables = await db.introspection.getTables();
  const there = tables.some(({ name, columns }) => name === table && columns.some((one) => one.name === column));
  if (!there) await add();
}

async function index(db: Database, flavor: Flavor, name: string, table: string, columns: string[]): Promise<void> {
  if (await flavor.hasIndex(db, table, name)) return;
  await db.schema.createIndex(name).on(table).columns(columns).execute();
}

/** By name, in their order. What has been released is never changed: a further one is added. */
function migrations(flavor: Flavor): Record<string, Migration> {
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
        await unlessThere(db, 'user_sessions', 'rev', () =>
          db.schema
            .alterTable('user_sessions')
            .addColumn('rev', 'bigint', (column) => column.notNull().defaultTo(0))
            .execute(),
        );
        await unlessThere(db, 'session_events', 'last_activity', () =>
          db.schema.alterTable('session_events').addColumn('last_activity', moment).execute(),
        );
      },
    },
  };
}

/**
 * Brings the tables up to date. Several processes may do so at once: one does, the others wait for it.
 *
 * @param last the name of the migration to end with; by default all of them
 * @throws what the database says
 */
export async function migrate(db: Database, flavor: Flavor, last?: string): Promise<void> {
  const all = migrations(flavor);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => all },
    // A database that others keep with Kysely, too, has tables of the usual names already.
    migrationTableName: 'sandman_migrations',
    migrationLockTableName: 'sandman_migrations_lock',
  });
  // Nor does a version of before stumble over what a newer one has added: its own are there.
  if (!last && (await migrator.getMigrations()).every(({ executedAt }) => executedAt)) return;
  const { error } = await (last ? migrator.migrateTo(last) : migrator.migrateToLatest());
  if (error) throw error;
}
