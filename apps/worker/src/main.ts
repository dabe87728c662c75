import { InvalidInput, PolicyBook } from '@sandman/core';
import { PoliciesInUse, Shadows } from '@sandman/lifecycle';
import {
  Admission,
  answers,
  ClockWatch,
  connectRedis,
  createLogger,
  createMetrics,
  EnvError,
  readEnvOf,
  refreshFleet,
  runProcess,
  scraper,
  shared,
  startOpsServer,
  startTracing,
  surroundings,
} from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { agreeOnShards, RedisJournal, RedisPace, RedisPolicies, RedisSessionStore, RedisShadows } from '@sandman/store';
import { startWorker } from './app.ts';
import { Receiver } from './webhooks/receiver.ts';
import { signingKey } from './webhooks/signature.ts';

/** How old these metrics may be at a scrape, in ms. The ledger's are costly: they count up to 100,000 events in each shard. */
const WEBHOOKS_MS = 1_000;
const LEDGER_MS = 15_000;

/** @throws EnvError if the secret is missing or malformed: receivers could not verify webhooks */
function keyOf(secret: string): Buffer {
  try {
    return signingKey(secret);
  } catch {
    const state = secret === '' ? 'missing' : 'malformed';
    throw new EnvError(`WEBHOOK_SECRET is ${state}: it must be whsec_ and base64 of 24 to 64 bytes where WEBHOOK_URL is set`);
  }
}

await runProcess('worker', async (fail) => {
  const env = readEnvOf('worker', process.env);
  const receiver = env.WEBHOOK_URL === null ? null : new Receiver(env.WEBHOOK_URL, keyOf(env.WEBHOOK_SECRET));
  const own = new PolicyBook(env.POLICIES, env.DEFAULT_POLICY);
  const unknown = env.SHADOW_POLICIES.find((name) => !own.get(name));
  if (unknown !== undefined)
    throw new InvalidInput(
      'SHADOW_POLICIES',
      `must name some of ${own
        .list()
        .map(({ name }) => name)
        .join(', ')}`,
    );
  const logger = createLogger(env.LOG_LEVEL, 'worker');
  // Imported only where it is configured, because it takes as long to load as everything else.
  const keepLedger = env.DATABASE_URL === '' ? null : await (await import('./ledger/open.ts')).openLedger(env.DATABASE_URL, logger);
  const { Webhooks } = receiver ? await import('./webhooks/webhooks.ts') : { Webhooks: null };
  const tracing = await startTracing('worker', logger);
  const metrics = createMetrics('worker');
  const redis = connectRedis(env.REDIS_URL, 'worker', (err) => logger.warn({ err }, 'Redis connection'));
  const sessionManager = new SessionManagerClient({
    url: env.SESSION_MANAGER_URL,
    apiKey: env.SESSION_MANAGER_API_KEY,
    timeout: env.SESSION_MANAGER_TIMEOUT,
    onResult: (call, status) => metrics.sessionManagerRequests.inc({ call, status: String(status) }),
  });
  const admission = new Admission({
    check: () => agreeOnShards(redis, env.KEY_PREFIX, env.SHARDS),
    fail,
    unknown: (err) => logger.warn({ err }, 'SHARDS could not be compared with the data in Redis yet: this process waits'),
  });
  await admission.soon();
  const policiesInRedis = new RedisPolicies(redis, env.KEY_PREFIX);
  const policies = new PoliciesInUse({
    own,
    // A dry run does not announce its policies.
    says: !env.DRY_RUN,
    version: env.POLICIES_VERSION,
    shadows: env.SHADOW_POLICIES,
    agreement: {
      async agree(...told) {
        admission.assertGiven();
        return policiesInRedis.agree(...told);
      },
    },
    surroundings,
    changed: (version) => logger.info({ version }, 'other policies are in use from now on'),
    overruled: (version) =>
      logger.error(
        { version, own: env.POLICIES_VERSION },
        'POLICIES is not used: others are in force. Give it a POLICIES_VERSION above theirs',
      ),
    failed: (err) => logger.warn({ err }, 'the policies in use could not be agreed on'),
  });
  const shadowBooks = new RedisShadows(redis, env.KEY_PREFIX);
  const shadows = new Shadows({
    policies: () => policies.shadows,
    books: shadowBooks,
    surroundings,
    failed: (err) => logger.warn({ err }, 'sums of shadow policies are lost'),
  });
  const store = new RedisSessionStore(redis, {
    prefix: env.KEY_PREFIX,
    shards: env.SHARDS,
    slack: env.ALARM_SLACK,
    written: (before, after, now) => shadows.written(before, after, now),
  });
  const clock = new ClockWatch({ read: () => store.clock(), follow: true, metrics, logger });
  const journal = new RedisJournal(redis, { prefix: env.KEY_PREFIX, shards: env.SHARDS });
  const place = { redis, prefix: env.KEY_PREFIX, shards: env.SHARDS };
  const webhooks =
    Webhooks && receiver && new Webhooks({ ...place, store, journal, receiver, warning: env.SLEEP_WARNING, metrics, logger });
  const bookkeeping = keepLedger?.({ ...place, retention: env.LEDGER_RETENTION, store, logger }) ?? null;
  const pace = env.SESSION_MANAGER_MAX_RPS === null ? null : new RedisPace(redis, env.KEY_PREFIX, env.SESSION_MANAGER_MAX_RPS);
  const worker = startWorker({
    ...place,
    store,
    policies,
    dryRun: env.DRY_RUN,
    admission,
    journal,
    pods: sessionManager,
    concurrency: env.WORKER_CONCURRENCY,
    pace,
    patrol:
      env.PATROL_RATE === null
        ? null
        : { pace: new RedisPace(redis, env.KEY_PREFIX, env.PATROL_RATE, 'patrolPace'), spare: pace && (() => pace.takeSpare()) },
    clockAhead: () => clock.ahead,
    doubt: env.SESSION_MANAGER_TIMEOUT + env.LATE_EFFECT_BOUND,
    webhooks,
    warning: webhooks ? env.SLEEP_WARNING : 0,
    bookkeeping,
    metrics,
    logger,
    telemetry: tracing.jobs,
  });
  const refresh = [
    refreshFleet(metrics, {
      sessions: () => store.count(),
      backlog: () => worker.alarms.backlog(),
      books: () => journal.books(),
      shadows: () => shadowBooks.read(),
      policies: () => policies.named,
    }),
  ];
  if (webhooks) refresh.push(shared(WEBHOOKS_MS, async () => metrics.webhookBacklog.set(await webhooks.backlog())));
  if (bookkeeping)
    refresh.push(
      shared(LEDGER_MS, async () => {
        const { events, age } = await bookkeeping.behind();
        metrics.ledgerBacklog.set(events);
        metrics.ledgerLag.set(age / 1_000);
      }),
    );
  let closing = false;
  const ops = await startOpsServer({
    host: env.HOST,
    port: env.METRICS_PORT,
    ready: async () => !closing && admission.isGiven && worker.isRunning() && (await answers(redis)),
    scrape: scraper(metrics.registry, refresh),
  });
  logger.info({ port: ops.port }, 'worker is up');
  return {
    async close() {
      closing = true;
      sessionManager.leave();
      await worker.close();
      await Promise.all([policies.close(), shadows.close()]);
      clock.close();
      admission.close();
      await sessionManager.close();
      await ops.close();
      redis.disconnect();
      await tracing.close();
    },
  };
});
