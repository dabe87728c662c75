import crypto from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Below those that the system gives to outgoing connections, one of which could take a port before it is listened on;
 * and so that a Cluster node's second port, 10,000 above its first, is none of these either.
 */
const PORTS = { from: 10_000, to: 20_000 } as const;

/**
 * One file for each port that a process was given and may not listen on yet, with that process's id. Without it, of the
 * processes that a test run starts side by side, two take the same port every few runs, and one test talks to the server
 * of another.
 */
const RESERVATIONS = join(tmpdir(), 'sandman-ports');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Reserves a port for as long as this process lives. @returns whether it was to be had */
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
