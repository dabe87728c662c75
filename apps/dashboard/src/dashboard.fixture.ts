import { randomUUID } from 'node:crypto';
import { connect, type RedisData } from '@sandman/assembly';
import { createLogger, readEnv } from '@sandman/runtime';
import { type FoundRedis, redisForTests } from '@sandman/sandbox';
import type { FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Account } from './accounts.ts';
import { buildDashboard } from './app.ts';

export const OPERATOR: Account = { user: 'olga', password: 'operator-secret', role: 'operator' };
export const VIEWER: Account = { user: 'viktor', password: 'viewer-secret', role: 'viewer' };

/** Starts a Redis for the test file. `open` starts a dashboard on it, with its own key prefix unless one is given. */
export function useDashboards() {
  let found: FoundRedis;
  let redis: Redis;
  const apps: FastifyInstance[] = [];
  const connections: RedisData[] = [];
  /** Opens a connection as a dashboard has it. It is closed after the test file. */
  const connectTo = (prefix: string, shards: number) => {
    const env = { REDIS_URL: found.url, KEY_PREFIX: prefix, SHARDS: String(shards) };
    const options = { role: 'worker', slack: 1, logger: createLogger('silent', 'test') } as const;
    const connection = connect(readEnv(env, ['REDIS_URL', 'KEY_PREFIX', 'SHARDS']), options);
    connections.push(connection);
    return connection;
  };
  beforeAll(async () => {
    found = await redisForTests();
    redis = new Redis(found.url, { maxRetriesPerRequest: null });
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    redis?.disconnect();
    await found?.stop();
  });
  return {
    get redis() {
      return redis;
    },
    connectTo,
    async open({ accounts = [OPERATOR, VIEWER], prefix = `dashboard-${randomUUID()}`, shards = 1 } = {}) {
      const logger = createLogger('silent', 'test');
      const common = { podPrice: 0.5, keepAlive: 1_000, trustedProxies: [], logger };
      const app = await buildDashboard({ connection: connectTo(prefix, shards), accounts, ...common });
      apps.push(app);
      return app;
    },
  };
}

export function logIn(app: FastifyInstance, { user, password }: { user: string; password: string }, headers = {}, query = '') {
  return app.inject({
    method: 'POST',
    url: `/login${query}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: new URLSearchParams({ user, password }).toString(),
  });
}

/** Logs in and returns the cookie as a header. */
export async function cookieOf(app: FastifyInstance, account: { user: string; password: string }): Promise<{ cookie: string }> {
  const { headers } = await logIn(app, account);
  return { cookie: String(headers['set-cookie']).split(';')[0]! };
}
