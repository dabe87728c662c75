import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { REDIS_SETTINGS, redisBinary, startRedis } from './redis-server.ts';

/** A Redis that was found or started. */
export interface FoundRedis {
  readonly url: string;
  /** A description to print. */
  readonly what: string;
  stop(): Promise<void>;
}

const NONE = `Sandman needs a Redis. Any of these will do:
  - set REDIS_URL to one that runs
  - put redis-server or valkey-server on the PATH (Debian: apt-get install redis-server)
  - start Docker`;

async function redisInContainer(): Promise<FoundRedis | null> {
  const socket = process.env.DOCKER_HOST ?? '/var/run/docker.sock';
  if (socket.startsWith('/') && !existsSync(socket)) return null;
  try {
    const { RedisContainer } = await import('@testcontainers/redis');
    const container = await new RedisContainer('redis:7').withCommand(['redis-server', ...REDIS_SETTINGS]).start();
    return {
      url: container.getConnectionUrl(),
      what: 'a container',
      stop: async () => {
        await container.stop();
      },
    };
  } catch {
    return null;
  }
}

/** Starts the server on the PATH on a free port; it keeps its data if `dir` is given. @returns null if there is no server */
async function onPath(dir: string | null): Promise<FoundRedis | null> {
  if (!redisBinary()) return null;
  if (dir) mkdirSync(dir, { recursive: true });
  const server = await startRedis(dir ? { dir: resolve(dir), aof: true } : {});
  return { url: server.url, what: `a private server at ${server.url}${dir ? `, data in ${dir}` : ''}`, stop: () => server.stop() };
}

function installRedis(): boolean {
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return false;
  console.log('No Redis found: installing one with apt-get install -y redis-server …');
  try {
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'redis-server'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds or starts a Redis for `npm start` and `npm run demo`: `REDIS_URL`, else a server from the PATH, else a container, else
 * Debian's package, which it installs.
 *
 * @param dir where a server from the PATH keeps its data; null: it keeps none
 * @throws Error that names the ways to get a Redis
 */
export async function findOrStartRedis(dir: string | null): Promise<FoundRedis> {
  const url = process.env.REDIS_URL;
  if (url) return { url, what: 'the one of REDIS_URL', stop: async () => {} };
  const found = (await onPath(dir)) ?? (await redisInContainer()) ?? (installRedis() ? await onPath(dir) : null);
  if (!found) throw new Error(NONE);
  return found;
}

/**
 * Finds or starts a Redis for tests that do not kill it and that use their own key prefixes: the server that `npm test` has
 * started for this worker of the test runner; else a container, a server from the PATH, or Debian's package.
 *
 * @throws Error that names the ways to get a Redis
 */
export async function redisForTests(): Promise<FoundRedis> {
  const shared = process.env.SANDMAN_TEST_REDIS?.split(' ');
  if (shared) {
    // Counts from 1.
    const worker = Number(process.env.VITEST_POOL_ID);
    return { url: shared[(worker - 1) % shared.length]!, what: 'the one of this worker', stop: async () => {} };
  }
  const found = (await redisInContainer()) ?? (await onPath(null)) ?? (installRedis() ? await onPath(null) : null);
  if (!found) throw new Error(NONE);
  return found;
}
