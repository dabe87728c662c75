import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** How long a server may take to answer, in ms. */
const START_MS = 15_000;

/** As the design wants a Redis: punctual alarms, small jobs, nothing evicted. */
export const SETTINGS = ['--hz', '100', '--hash-max-listpack-value', '256', '--maxmemory-policy', 'noeviction', '--save', ''];

/** A Redis of one's own, which one may kill. */
export interface RedisServer {
  readonly url: string;
  readonly pid: () => number;
  /** Ends it at once, data kept. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it, and removes its data where they were temporary. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Where its data go; a temporary folder by default. */
  readonly dir?: string;
  /** Whether it keeps what it acknowledged over a restart. */
  readonly aof?: boolean;
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The server that is on the PATH; null where there is none. */
export function redisBinary(): string | null {
  for (const name of ['redis-server', 'valkey-server']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // Not this one.
    }
  }
  return null;
}

async function answers(url: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`Redis did not answer within ${START_MS / 1_000} s`)), START_MS).unref();
  });
  try {
    await Promise.race([redis.ping(), timeout]);
  } finally {
    redis.disconnect();
  }
}

/** Starts the PATH's server on a free port of 127.0.0.1. */
export async function startRedis({ dir, aof = false }: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = redisBinary();
  if (!binary) throw new Error('Neither redis-server nor valkey-server is on the PATH');
  const data = dir ?? mkdtempSync(join(tmpdir(), 'sandman-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', data, '--appendonly', aof ? 'yes' : 'no', ...SETTINGS];
  const start = () => spawn(binary, args, { stdio: 'ignore', detached: true });
  let child = start();
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  };
  const server: RedisServer = {
    url,
    pid: () => child.pid ?? 0,
    kill: () => end('SIGKILL'),
    async restart() {
      child = start();
      await answers(url);
    },
    async stop() {
      await end('SIGTERM');
      if (!dir) rmSync(data, { recursive: true, force: true });
    },
  };
  await answers(url).catch(async (error) => {
    await server.stop();
    throw error;
  });
  return server;
}
