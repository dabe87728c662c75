import {
  answers,
  collectFleet,
  connectRedis,
  createLogger,
  createMetrics,
  readEnv,
  runProcess,
  startOpsServer,
  startTracing,
} from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { RedisJournal, RedisPace, RedisSessionStore } from '@sandman/store';
import { startWorker } from './app.ts';

await runProcess('worker', async () => {
  const env = readEnv(process.env, [
    'REDIS_URL',
    'KEY_PREFIX',
    'SHARDS',
    'LOG_LEVEL',
    'HOST',
    'SESSION_MANAGER_URL',
    'SESSION_MANAGER_API_KEY',
    'SESSION_MANAGER_TIMEOUT',
    'ALARM_SLACK',
    'LATE_EFFECT_BOUND',
    'WORKER_CONCURRENCY',
    'SESSION_MANAGER_MAX_RPS',
    'METRICS_PORT',
  ]);
  const logger = createLogger(env.LOG_LEVEL, 'worker');
  const tracing = await startTracing('worker', logger);
  const metrics = createMetrics();
  const redis = connectRedis(env.REDIS_URL, 'worker', (err) => logger.warn({ err }, 'Redis connection'));
  const sessionManager = new SessionManagerClient({
    url: env.SESSION_MANAGER_URL,
    apiKey: env.SESSION_MANAGER_API_KEY,
    timeout: env.SESSION_MANAGER_TIMEOUT,
    connections: env.WORKER_CONCURRENCY,
    onResult: (call, status) => metrics.sessionManagerRequests.inc({ call, status: String(status) }),
  });
  const store = new RedisSessionStore(redis, { prefix: env.KEY_PREFIX, shards: env.SHARDS, slack: env.ALARM_SLACK });
  const journal = new RedisJournal(redis, { prefix: env.KEY_PREFIX, shards: env.SHARDS });
  const worker = startWorker({
    redis,
    prefix: env.KEY_PREFIX,
    shards: env.SHARDS,
    store,
    journal,
    pods: sessionManager,
    concurrency: env.WORKER_CONCURRENCY,
    pace: env.SESSION_MANAGER_MAX_RPS === null ? null : new RedisPace(redis, env.KEY_PREFIX, env.SESSION_MANAGER_MAX_RPS),
    doubt: env.SESSION_MANAGER_TIMEOUT + env.LATE_EFFECT_BOUND,
    metrics,
    logger,
    telemetry: tracing.jobs,
  });
  let closing = false;
  const ops = await startOpsServer({
    host: env.HOST,
    port: env.METRICS_PORT,
    registry: metrics.registry,
    ready: async () => !closing && worker.isRunning() && (await answers(redis)),
    async collect() {
      // While Redis is away a command would wait for it: the last figures stand.
      if (!(await answers(redis))) return;
      await collectFleet(metrics, { sessions: () => store.count(), backlog: () => worker.alarms.backlog(), books: () => journal.books() });
    },
  });
  logger.info({ port: ops.port }, 'worker is up');
  return {
    async close() {
      closing = true;
      await worker.close();
      await sessionManager.close();
      await ops.close();
      redis.disconnect();
      await tracing.close();
    },
  };
});
