import crypto from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Below the range from which the system takes ports for outgoing connections. The second port of a Cluster node, 10,000
 * above its first, stays below that range, too.
 */
const PORTS = { from: 10_000, to: 20_000 } as const;

/**
 * One file for each port that a process was given and may not listen on yet, with that process's id. Without it, of the
 * processes that a test run starts side by side, two take the same port every few runs, and one test talks to the server
 * of another. One folder for each user of the machine, for no other may write there.
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

/** Reserves a port for as long as this process lives. @returns whether no other process had reserved it */
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
    // The port may be had the next time that it is drawn. An empty file is being written.
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

/** A port on which no server listens, and which no other process on this machine is given while this one runs. */
export async function freePort(): Promise<number> {
  mkdirSync(RESERVATIONS, { recursive: true });
  for (;;) {
    const port = crypto.randomInt(PORTS.from, PORTS.to);
    if (reserve(port) && (await isPortFree(port))) return port;
  }
}
