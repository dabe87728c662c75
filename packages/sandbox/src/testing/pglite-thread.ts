import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

/** The messages of an extended query, which a Sync ends: Parse, Bind, Describe, Execute, Close, Flush. */
const EXTENDED = new Set([...'PBDECH'].map((kind) => kind.charCodeAt(0)));

/** What a thread that serves a database is told. */
export interface ThreadData {
  readonly port: number;
  /** The path of the files of an empty database: copying them takes a fifth of the time of making them. Written if missing. */
  readonly empty: string;
}

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

async function openEmpty(path: string): Promise<PGlite> {
  if (existsSync(path)) return PGlite.create({ loadDataDir: new Blob([await readFile(path)]) });
  const db = await PGlite.create();
  await mkdir(dirname(path), { recursive: true });
  // Renamed when it is complete, because another thread may read it, or write it at the same time.
  const unfinished = `${path}.${process.pid}-${threadId}`;
  await writeFile(unfinished, Buffer.from(await (await db.dumpDataDir('none')).arrayBuffer()));
  await rename(unfinished, path);
  return db;
}

const { port, empty } = workerData as ThreadData;
const db = await openEmpty(empty);
const serve = async () => {
  const server = new PGLiteSocketServer({ db: uninterrupted(db), port, host: '127.0.0.1', maxConnections: 100 });
  await server.start();
  return server;
};
let server = await serve();
parentPort!.on('message', async () => {
  // Ends the connections that the test left open.
  await server.stop();
  await db.exec('drop schema public cascade; create schema public');
  await db.exec('discard all');
  server = await serve();
  parentPort!.postMessage('empty');
});
parentPort!.postMessage('empty');
