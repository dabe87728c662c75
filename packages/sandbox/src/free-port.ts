import crypto from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The range of ports, below the one from which the system takes ports for outgoing connections. The second port of a Cluster
 * node, 10,000 above its first, is below that range, too.
 */
const PORT_RANGE = { from: 10_000, to: 20_000 } as const;

/** The only port of the range that browsers and `fetch` refuse to call (https://fetch.spec.whatwg.org/#port-blocking). */
const BLOCKED_PORT = 10_080;

/**
 * The folder of reservations: a file for each port that a process was given and may not listen on yet, with the id of that
 * process. Without it, every few test runs two processes that run side by side take the same port, and one test talks to the
 * server of another. Each user of the machine has a folder, because others may not write to it.
 */
const RESERVATIONS = join(tmpdir(), `sandman-ports-${process.getuid?.() ?? 'user'}`);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Reserves a port for as long as this process lives. Returns whether no other process had reserved it. */
function reserve(port: number): boolean {
  const file = join(RESERVATIONS, `${port}`);
  try {
    writeFileSync(file, `${process.pid}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    const holder = Number(readFileSync(file, 'utf8'));
    // Its process has ended, so the port is free the next time that it is drawn. An empty file is still being written.
    if (holder > 0 && !isAlive(holder)) rmSync(file);
  } catch {
    // Another process has removed it.
  }
  return false;
}

/** Whether no server listens on a port of 127.0.0.1. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/**
 * Returns a port on which no server listens, which `fetch` may call, and which this function gives to no other process of this
 * user while this one runs.
 */
export async function freePort(): Promise<number> {
  mkdirSync(RESERVATIONS, { recursive: true });
  for (;;) {
    const port = crypto.randomInt(PORT_RANGE.from, PORT_RANGE.to);
    if (port !== BLOCKED_PORT && reserve(port) && (await isPortFree(port))) return port;
  }
}
