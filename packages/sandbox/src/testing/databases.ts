import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { PGlite } from '@electric-sql/pglite';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { freePort } from '../free-port.ts';

export type DatabaseKind = 'postgres' | 'mysql';

/** An empty database that one test uses alone. */
export interface TestDatabase {
  readonly kind: DatabaseKind;
  readonly url: string;
  /** Runs one statement, each time over a new connection. */
  ask<Row>(statement: string): Promise<Row[]>;
  drop(): Promise<void>;
}

/** A server on which tests can create databases. */
export interface DatabaseServer {
  readonly kind: DatabaseKind;
  /** What to install; null if there is a server. */
  readonly remedy: string | null;
  /** Whether each database is a server of its own in this process, which accepts any login. */
  readonly own: boolean;
  create(): Promise<TestDatabase>;
  stop(): Promise<void>;
}

const ADDRESSES = {
  postgres: process.env.TEST_POSTGRES_URL ?? 'postgres://root@127.0.0.1:5432/test',
  mysql: process.env.TEST_MYSQL_URL ?? 'mysql://root@127.0.0.1:3306/test',
};
/** Reads times as UTC. */
const MYSQL_OPTIONS = { timezone: 'Z', connectTimeout: 2_000, multipleStatements: false } as const;

async function runStatement<Row>(kind: DatabaseKind, url: string, statement: string): Promise<Row[]> {
  if (kind === 'mysql') {
    const connection = await createConnection({ uri: url, ...MYSQL_OPTIONS });
    try {
      await connection.query("set time_zone = '+00:00'");
      return (await connection.query(statement))[0] as Row[];
    } finally {
      connection.destroy();
    }
  }
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  await client.connect();
  try {
    return (await client.query(statement)).rows as Row[];
  } finally {
    await client.end();
  }
}

function onServer(kind: DatabaseKind, address: string, stop: () => Promise<unknown>): DatabaseServer {
  return {
    kind,
    remedy: null,
    own: false,
    async create() {
      const name = `test_${randomUUID().replaceAll('-', '')}`;
      await runStatement(kind, address, `create database ${name}`);
      const url = new URL(address);
      url.pathname = `/${name}`;
      return {
        kind,
        url: url.href,
        ask: (statement) => runStatement(kind, url.href, statement),
        drop: async () => {
          await runStatement(kind, address, `drop database ${name}${kind === 'postgres' ? ' with (force)' : ''}`);
        },
      };
    },
    async stop() {
      await stop();
    },
  };
}

async function databaseInContainer(kind: DatabaseKind): Promise<DatabaseServer | null> {
  if (!process.env.DOCKER_HOST && !existsSync('/var/run/docker.sock')) return null;
  const given = {
    postgres: { image: 'postgres:17', env: { POSTGRES_HOST_AUTH_METHOD: 'trust' }, port: 5_432, login: 'postgres', first: 'postgres' },
    mysql: { image: 'mariadb:11', env: { MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: '1' }, port: 3_306, login: 'root', first: 'mysql' },
  }[kind];
  try {
    const { GenericContainer, Wait } = await import('testcontainers');
    const container = await new GenericContainer(given.image)
      .withEnvironment(given.env)
      .withExposedPorts(given.port)
      // Both servers log this twice: they start once to initialize, and then again.
      .withWaitStrategy(Wait.forLogMessage(/ready (to accept connections|for connections)/, 2))
      .start();
    const address = `${kind}://${given.login}@${container.getHost()}:${container.getMappedPort(given.port)}/${given.first}`;
    return onServer(kind, address, () => container.stop());
  } catch {
    return null;
  }
}

/** The messages of an extended query, which a Sync ends: Parse, Bind, Describe, Execute, Close, Flush. */
const EXTENDED = new Set([...'PBDECH'].map((kind) => kind.charCodeAt(0)));

/**
 * Makes `PGLiteSocketServer` (0.2) run an extended query without a message of another connection in between, as it does with
 * a transaction. All connections share one database session, whose unnamed portal such a message would close.
 */
function uninterrupted(db: PGlite): PGlite {
  let isInQuery = false;
  return new Proxy(db, {
    get(target, name) {
      if (name === 'isInTransaction') return () => isInQuery || target.isInTransaction();
      if (name === 'execProtocolRawStream') {
        return (...[message, options]: Parameters<PGlite['execProtocolRawStream']>) => {
          isInQuery = EXTENDED.has(message[0]!);
          return target.execProtocolRawStream(message, options);
        };
      }
      // The server calls `exec` to roll back what a closed connection left open.
      if (name === 'exec') isInQuery = false;
      const member = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** Runs PostgreSQL in this process, for machines without one; each database is a server of its own. */
export function postgresInProcess(): DatabaseServer {
  /** The files of an empty database: copying them takes a third of the time of making them. */
  let empty: Promise<File | Blob> | undefined;
  const makeEmpty = async ({ PGlite }: typeof import('@electric-sql/pglite')) => {
    const db = await PGlite.create();
    const files = await db.dumpDataDir('none');
    await db.close();
    return files;
  };
  return {
    kind: 'postgres',
    remedy: null,
    own: true,
    async create() {
      const [pglite, { PGLiteSocketServer }] = await Promise.all([import('@electric-sql/pglite'), import('@electric-sql/pglite-socket')]);
      empty ??= makeEmpty(pglite);
      const db = await pglite.PGlite.create({ loadDataDir: await empty });
      const port = await freePort();
      const server = new PGLiteSocketServer({ db: uninterrupted(db), port, host: '127.0.0.1', maxConnections: 100 });
      await server.start();
      const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
      return {
        kind: 'postgres',
        url,
        ask: (statement) => runStatement('postgres', url, statement),
        async drop() {
          await server.stop();
          await db.close();
        },
      };
    },
    stop: async () => {},
  };
}

function none(kind: DatabaseKind): DatabaseServer {
  const remedy = kind === 'mysql' ? 'install MariaDB (apt-get install mariadb-server), or set TEST_MYSQL_URL' : 'set TEST_POSTGRES_URL';
  return { kind, remedy, own: false, create: () => Promise.reject(new Error(remedy)), stop: async () => {} };
}

/**
 * Finds a server: that of `TEST_POSTGRES_URL` or `TEST_MYSQL_URL`, by default the one on this machine; else starts a container;
 * else runs PostgreSQL in this process, unless `SANDMAN_REQUIRE` names it.
 */
export async function findDatabase(kind: DatabaseKind): Promise<DatabaseServer> {
  const address = ADDRESSES[kind];
  const answers = await runStatement(kind, address, 'select 1').then(
    () => true,
    () => false,
  );
  if (answers) return onServer(kind, address, async () => {});
  const contained = await databaseInContainer(kind);
  if (contained) return contained;
  const required = (process.env.SANDMAN_REQUIRE ?? '').split(',').includes(kind);
  return kind === 'postgres' && !required ? postgresInProcess() : none(kind);
}
