import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import type { Certificate } from './certificate.ts';
import { freePort } from './free-port.ts';

/** How long a server may take to answer, in ms. */
const START_MS = 45_000;

/** The settings that Sandman recommends for Redis: punctual timers, compact hashes of jobs, no eviction. No snapshots are written. */
export const REDIS_SETTINGS = ['--hz', '100', '--hash-max-listpack-value', '256', '--maxmemory-policy', 'noeviction', '--save', ''];

/** A Redis server on 127.0.0.1 for one test or benchmark, which may kill it. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Its certificate; null if connections are not encrypted. */
  readonly certificate: Certificate | null;
  readonly pid: () => number;
  /** Ends it at once and keeps its data. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it, and removes its data if they are in a temporary folder. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** The folder of its data; a temporary one by default. */
  readonly dir?: string;
  /** Whether it writes an append-only file, and so keeps its data over a restart. */
  readonly aof?: boolean;
  /** The port; any free one by default. */
  readonly port?: number;
  /** Encrypts every connection, including those between servers. */
  readonly certificate?: Certificate | null;
  /** Further settings, as on the command line. */
  readonly settings?: readonly string[];
  /** The content of its configuration file; by default it has none. */
  readonly config?: string;
}

/** Returns the name of the server that is on the PATH; null if there is none. */
export function redisBinary(): string | null {
  for (const name of ['redis-server', 'valkey-server']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // Not on the PATH: try the next name.
    }
  }
  return null;
}

/** Whether the server on the PATH knows a setting, which depends on how it was built; false if there is no server. */
export function redisKnows(setting: string, value: string): boolean {
  const binary = redisBinary();
  if (!binary) return false;
  // It stops at the first setting it does not know, and names it.
  const { stdout, stderr } = spawnSync(binary, [`--${setting}`, value, '--unheard-of', 'yes'], { encoding: 'utf8' });
  return `${stdout}${stderr}`.includes('unheard-of');
}

/** Thrown if another server has taken the port: two that start at once may have found the same one free. */
class PortTaken extends Error {}

/** How long a server that finds its port taken may take to end, in ms. */
const TAKEN_MS = 5_000;

function endsWithin(child: ChildProcess, ms: number): Promise<boolean> {
  if (child.exitCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

function openConnection(
  { url, certificate }: Pick<RedisServer, 'url' | 'certificate'>,
  options: Omit<RedisOptions, 'replyMapping'>,
): Redis {
  const tls = certificate ? { tls: { ca: readFileSync(certificate.path) } } : {};
  const redis = new Redis(url, { ...options, ...tls });
  redis.on('error', () => {});
  return redis;
}

/** Asks one server over a new connection. If that cannot be opened, it fails at once. */
export async function askRedis<T>(server: RedisServer, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = openConnection(server, { retryStrategy: () => null });
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

/** Waits until a server answers. @returns the process id that it reports @throws Error if it does not answer in time */
async function waitForAnswer(server: RedisServer): Promise<number> {
  const redis = openConnection(server, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`Redis did not answer within ${START_MS / 1_000} s`)), START_MS).unref();
  });
  try {
    const info = await Promise.race([redis.info('server'), timeout]);
    return Number(/^process_id:(\d+)/m.exec(info)?.[1]);
  } finally {
    redis.disconnect();
  }
}

function listening(port: number, certificate: Certificate | null): string[] {
  if (!certificate) return ['--port', `${port}`];
  const files = ['--tls-cert-file', certificate.path, '--tls-key-file', certificate.keyPath, '--tls-ca-cert-file', certificate.path];
  return ['--port', '0', '--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no', '--tls-replication', 'yes', '--tls-cluster', 'yes'];
}

/** Starts the server on the PATH on 127.0.0.1. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { dir, aof = false, certificate = null, settings = [], config } = options;
  const binary = redisBinary();
  if (!binary) throw new Error('Neither redis-server nor valkey-server is on the PATH');
  const data = dir ?? mkdtempSync(join(tmpdir(), 'sandman-redis-'));
  const port = options.port ?? (await freePort());
  const url = `${certificate ? 'rediss' : 'redis'}://127.0.0.1:${port}`;
  const args = ['--bind', '127.0.0.1', '--dir', data, '--appendonly', aof ? 'yes' : 'no', ...REDIS_SETTINGS];
  args.unshift(...listening(port, certificate));
  args.push(...settings);
  if (config !== undefined) {
    const file = join(data, 'redis.conf');
    writeFileSync(file, config);
    args.unshift(file);
  }
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
    port,
    certificate,
    pid: () => child.pid ?? 0,
    kill: () => end('SIGKILL'),
    async restart() {
      child = start();
      await waitForAnswer(server);
    },
    async stop() {
      // A server that writes its first AOF may ignore SIGTERM for good. SIGKILL will do if its data are removed anyway.
      await end(dir ? 'SIGTERM' : 'SIGKILL');
      if (!dir) rmSync(data, { recursive: true, force: true });
    },
  };
  try {
    // Another process id answers if the port was taken, and then this server ends at once. It lives if it runs behind a wrapper script.
    if ((await waitForAnswer(server)) !== child.pid && (await endsWithin(child, TAKEN_MS))) {
      throw new PortTaken(`another Redis listens on port ${port}`);
    }
    return server;
  } catch (error) {
    await server.stop();
    if (error instanceof PortTaken && options.port === undefined) return startRedis(options);
    throw error;
  }
}
