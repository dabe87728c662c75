import { BEAT_MS, PolicyBook } from '@sandman/core';
import { PoliciesInUse, SessionService, Shadows, startHeartbeat } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import {
  Admission,
  annotate,
  answers,
  ClockWatch,
  connectRedis,
  createLogger,
  createMetrics,
  readEnvOf,
  runProcess,
  startTracing,
  surroundings,
} from '@sandman/runtime';
import { SessionManagerClient } from '@sandman/session-manager';
import { agreeOnShards, RedisJournal, RedisPolicies, RedisSessionStore, RedisShadows } from '@sandman/store';
import { buildApi } from './app.ts';

await runProcess('api', async (fail) => {
  const env = readEnvOf('api', process.env);
  const own = new PolicyBook(env.POLICIES, env.DEFAULT_POLICY);
  const chatTimeout = env.CHAT_TIMEOUT ?? env.SESSION_MANAGER_TIMEOUT;
  const logger = createLogger(env.LOG_LEVEL, 'api');
  const tracing = await startTracing('api', logger);
  const metrics = createMetrics('api');
  const redis = connectRedis(env.REDIS_URL, 'request', (err) => logger.warn({ err }, 'Redis connection'));
  const alarms = new AlarmQueues(redis, env.KEY_PREFIX, env.SHARDS, (err) => logger.warn({ err }, 'queue'), tracing.jobs);
  const sessionManager = new SessionManagerClient({
    url: env.SESSION_MANAGER_URL,
    apiKey: env.SESSION_MANAGER_API_KEY,
    timeout: env.SESSION_MANAGER_TIMEOUT,
    chatTimeout,
    onResult: (call, status) => metrics.sessionManagerRequests.inc({ call, status }),
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
    says: true,
    version: env.POLICIES_VERSION,
    // Only workers announce shadow policies.
    shadows: [],
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
  const clock = new ClockWatch({ read: () => store.clock(), follow: false, metrics, logger });
  const journal = new RedisJournal(redis, { prefix: env.KEY_PREFIX, shards: env.SHARDS });
  const app = await buildApi({
    service: new SessionService({
      store,
      alarms,
      policies,
      unarmed: (err) => logger.warn({ err }, 'an alarm could not be set at once; a worker will finish it'),
      asked(session, asked) {
        annotate({ session, ...asked });
        logger.info({ session, ...asked }, 'request accepted');
      },
    }),
    sessionManager,
    journal,
    shadows: shadowBooks,
    podPrice: env.POD_PRICE_PER_HOUR,
    policies,
    apiKeys: env.API_KEYS,
    rateLimit: env.RATE_LIMIT === null ? null : { perSecond: env.RATE_LIMIT, redis, prefix: env.KEY_PREFIX },
    timeout: env.SESSION_MANAGER_TIMEOUT,
    chatTimeout,
    chatBodyLimit: env.CHAT_BODY_LIMIT,
    keepAlive: env.KEEP_ALIVE_TIMEOUT,
    trustedProxies: env.TRUST_PROXY,
    metrics,
    logger,
    requestSpans: tracing.requests,
    fleet: {
      sessions: () => store.count(),
      backlog: () => alarms.backlog(),
      books: () => journal.books(),
      shadows: () => shadowBooks.read(),
      policies: () => policies.named,
    },
    admitted: () => admission.isGiven,
    ready: async () => admission.isGiven && (await answers(redis)),
  });
  await app.listen({ host: env.HOST, port: env.PORT });
  const stopHeartbeat = startHeartbeat({
    store,
    surroundings,
    every: BEAT_MS,
    clock: alarms,
    // While calls are shed, pings are refused. Without a heartbeat this counts as a gap, not as users being idle.
    open: () => admission.isGiven && !app.isShedding(),
    gap: (shard, ms) => logger.warn({ shard, ms }, 'no API could take pings: the end of that counts as activity'),
    rewound: (shard) => logger.error({ shard }, 'Redis came back with older data: its sessions are in doubt'),
    failed: (err) => logger.debug({ err }, 'heartbeat failed'),
  });
  return {
    async close() {
      await app.readiness.leave();
      // Pings are refused from now on. Without heartbeats this counts as a gap, not as users being idle.
      await stopHeartbeat();
      await app.close();
      await Promise.all([policies.close(), shadows.close()]);
      clock.close();
      admission.close();
      await sessionManager.close();
      await alarms.close();
      redis.disconnect();
      await tracing.close();
    },
  };
});
