import { Socket } from 'node:net';
import { CompiledQuery, Kysely, MysqlDialect, PostgresDialect } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import { type DatabaseKind, unusable } from './address.ts';
import type { Schema } from './schema.ts';

/** How long connecting may take, in ms. */
const CONNECT_MS = 3_000;
/** An idle connection is closed after this, in ms: before the silence time-out would break it. */
const IDLE_CONNECTION_MS = 5_000;
const DEFAULT_PORT = 3_306;
/**
 * Replaces the server's `sql_mode`: mysql2 escapes with backslashes, which NO_BACKSLASH_ESCAPES would make unsafe, and without
 * strict mode MySQL would cut long values short without an error.
 */
const MYSQL_SESSION = CompiledQuery.raw(`set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'`);

export interface DatabasePool {
  readonly db: Kysely<Schema>;
  /** Closes all connections at once, also those with a statement in progress. */
  close(): Promise<void>;
}

/**
 * Makes a pool that connects when needed.
 *
 * @param silence how long a database may send nothing before its connection is broken off, in ms. Without it a statement to a
 * host that has vanished waits until the kernel gives up, after 15 min
 * @param most connections at once
 * @throws InvalidInput naming `DATABASE_URL` if its parameters cannot be used
 */
export function createDatabasePool(url: string, kind: DatabaseKind, silence: number, most = 4): DatabasePool {
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

/** @throws InvalidInput that does not show the value of `DATABASE_URL` */
function checkParameters<T>(read: () => T, expected: string): T {
  try {
    return read();
  } catch {
    throw unusable(`its parameters cannot be used, ${expected}`);
  }
}

function postgresDialect(url: string, stream: () => Socket, max: number): PostgresDialect {
  // Reads the parameters and the files they name now, as the pool would at each connection.
  checkParameters(
    () => new pg.Client({ connectionString: url }),
    'sslrootcert, sslcert and sslkey must name files that this process can read',
  );
  const pool = new pg.Pool({
    connectionString: url,
    stream,
    max,
    application_name: 'sandman',
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
  });
  // An idle connection in the pool broke. The pool makes a new one when needed.
  pool.on('error', () => {});
  // A connection broke during a statement. The statement fails, and the error event beside it would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return new PostgresDialect({ pool });
}

function mysqlDialect(url: string, socket: () => Socket, most: number): MysqlDialect {
  const { hostname, port } = new URL(url);
  const pool = checkParameters(
    () =>
      createPool({
        uri: url,
        stream: () => socket().connect(Number(port || DEFAULT_PORT), hostname.replace(/^\[(.*)\]$/, '$1')),
        connectionLimit: most,
        maxIdle: 1,
        idleTimeout: IDLE_CONNECTION_MS,
        connectTimeout: CONNECT_MS,
        // Times are read and written as UTC.
        timezone: 'Z',
      }),
    'ssl must be JSON such as {"verifyIdentity":true}',
  );
  return new MysqlDialect({
    pool,
    onCreateConnection: async (connection) => {
      await connection.executeQuery(MYSQL_SESSION);
    },
  });
}
