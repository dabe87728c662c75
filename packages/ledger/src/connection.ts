import { Socket } from 'node:net';
import { CompiledQuery, Kysely, MysqlDialect, PostgresDialect } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import type { Kind } from './address.ts';
import type { Schema } from './schema.ts';

/** How long connecting may take, in ms. */
const CONNECT_MS = 3_000;
/** A connection that nobody needs is closed after this, in ms: before it counts as silent. */
const IDLE_MS = 5_000;
const DEFAULT_PORT = 3_306;
/** Whoever has asked for them may quote by backslash, and nothing is cut short in silence. */
const MYSQL_SESSION = CompiledQuery.raw(`set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'`);

export interface Connections {
  readonly db: Kysely<Schema>;
  /** Lets go of all, whatever still runs on them. */
  close(): Promise<void>;
}

/**
 * Makes connections as they are needed, few at a time.
 *
 * @param silence ms: a database that says nothing for so long while it is waited for counts as away. Without this a statement
 * waits for a host that has vanished until the kernel gives up, after a quarter of an hour
 */
export function connect(url: string, kind: Kind, silence: number, most = 4): Connections {
  const sockets = new Set<Socket>();
  const socket = () => {
    const one = new Socket();
    sockets.add(one);
    one.once('close', () => sockets.delete(one));
    return one.setTimeout(silence, () =>
      one.destroy(Object.assign(new Error(`the database said nothing for ${silence / 1_000} s`), { code: 'ETIMEDOUT' })),
    );
  };
  const db = new Kysely<Schema>({ dialect: kind === 'postgres' ? postgresDialect(url, socket, most) : mysqlDialect(url, socket, most) });
  return {
    db,
    async close() {
      const closed = db.destroy().catch(() => {});
      for (const one of sockets) one.destroy();
      await closed;
    },
  };
}

function postgresDialect(url: string, stream: () => Socket, max: number): PostgresDialect {
  const pool = new pg.Pool({
    connectionString: url,
    stream,
    max,
    application_name: 'sandman',
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: IDLE_MS,
  });
  // Of a connection that nobody uses: the next one is made anew.
  pool.on('error', () => {});
  return new PostgresDialect({ pool });
}

function mysqlDialect(url: string, socket: () => Socket, most: number): MysqlDialect {
  const { hostname, port } = new URL(url);
  const pool = createPool({
    uri: url,
    stream: () => socket().connect(Number(port || DEFAULT_PORT), hostname.replace(/^\[(.*)\]$/, '$1')),
    connectionLimit: most,
    maxIdle: 1,
    idleTimeout: IDLE_MS,
    connectTimeout: CONNECT_MS,
    // Times are UTC, both ways.
    timezone: 'Z',
  });
  return new MysqlDialect({
    pool,
    onCreateConnection: async (connection) => {
      await connection.executeQuery(MYSQL_SESSION);
    },
  });
}
