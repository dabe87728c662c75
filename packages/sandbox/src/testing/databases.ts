import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { freePort } from '../free-port.ts';
import type { ThreadData } from './pglite-thread.ts';

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
/** See {@link ThreadData}. */
const EMPTY_DATABASE = fileURLToPath(new URL('../../../../node_modules/.cache/pglite.tar', import.meta.url));

/** How long a server may take to accept a connection, in ms. Where none listens, it is refused at once. */
const CONNECT_MS = 20_000;
/** Reads times as UTC. */
const MYSQL_OPTIONS = { timezone: 'Z', connectTimeout: CONNECT_MS, multipleStatements: false } as const;

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
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
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

interface PgliteThread {
  readonly worker: Worker;
  readonly port: number;
}

/** Threads whose database is empty again. All files that this process tests share them, because a new one takes seconds. */
const idleThreads: PgliteThread[] = [];

/** Waits until the database of a thread is empty. @throws what ended the thread */
async function untilEmpty({ worker }: PgliteThread): Promise<void> {
  await once(worker, 'message');
}

async function startThread(): Promise<PgliteThread> {
  const port = await freePort();
  const workerData: ThreadData = { port, empty: EMPTY_DATABASE };
  // The options of the test's own process are for that process.
  const worker = new Worker(new URL('./pglite-thread.ts', import.meta.url), { workerData, execArgv: [] });
  worker.unref();
  const thread = { worker, port };
  await untilEmpty(thread);
  return thread;
}

/**
 * Runs PostgreSQL in threads of this process, for machines without one. Each database is a server of its own, in a thread of its
 * own: it computes for seconds, in which the test would not hear its other processes.
 */
export function postgresInProcess(): DatabaseServer {
  return {
    kind: 'postgres',
    remedy: null,
    own: true,
    async create() {
      const thread = idleThreads.pop() ?? (await startThread());
      const url = `postgres://postgres@127.0.0.1:${thread.port}/postgres`;
      return {
        kind: 'postgres',
        url,
        ask: (statement) => runStatement('postgres', url, statement),
        async drop() {
          thread.worker.postMessage('drop');
          await untilEmpty(thread);
          idleThreads.push(thread);
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
