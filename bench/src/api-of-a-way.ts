import { buildApi } from '@sandman/api';
import { PolicyBook } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { answers, connectRedis, createLogger, createMetrics, readEnv } from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { RedisJournal, RedisSessionStore, RedisShadows } from '@sandman/store';
import { alarmsOf, type Way } from './ways.ts';

// Runs Sandman's API with its usual configuration, except that each ping moves its alarm in the way that `BENCH_WAY` names.
const env = readEnv(process.env, [
  'REDIS_URL',
  'KEY_PREFIX',
  'LOG_LEVEL',
  'HOST',
  'PORT',
  'API_KEYS',
  'SESSION_MANAGER_URL',
  'SESSION_MANAGER_API_KEY',
  'SESSION_MANAGER_TIMEOUT',
]);
const logger = createLogger(env.LOG_LEVEL, 'api');
const redis = connectRedis(env.REDIS_URL, 'request', (err) => logger.warn({ err }, 'Redis connection'));
const alarms = alarmsOf(process.env.BENCH_WAY as Way, redis, env.KEY_PREFIX);
const timeout = env.SESSION_MANAGER_TIMEOUT;
const policies = new PolicyBook();
const store = new RedisSessionStore(redis, { prefix: env.KEY_PREFIX, shards: 1, slack: 0 });
const journal = new RedisJournal(redis, { prefix: env.KEY_PREFIX, shards: 1 });
const shadows = new RedisShadows(redis, env.KEY_PREFIX);
const app = await buildApi({
  service: new SessionService({ store, alarms, policies: unchanging(policies.default), unarmed: (err) => logger.error({ err }, 'alarm') }),
  sessionManager: new SessionManagerClient({
    url: env.SESSION_MANAGER_URL,
    apiKey: env.SESSION_MANAGER_API_KEY,
    timeout,
    onResult: () => {},
  }),
  journal,
  podPrice: null,
  policies: { book: policies },
  shadows,
  apiKeys: env.API_KEYS,
  rateLimit: null,
  timeout,
  chatTimeout: timeout,
  chatBodyLimit: 1_048_576,
  keepAlive: 620_000,
  trustedProxies: [],
  metrics: createMetrics('api'),
  logger,
  requestSpans: null,
  fleet: {
    sessions: () => store.count(),
    backlog: async () => ({ sleep: 0, delete: 0, wake: 0 }),
    books: () => journal.books(),
    shadows: () => shadows.read(),
    policies: () => ({ names: policies.names(), shadows: [] }),
  },
  admitted: () => true,
  ready: () => answers(redis),
});
await app.listen({ host: env.HOST, port: env.PORT });
