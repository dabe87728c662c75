import { Admission, connectRedis, createLogger, EnvError, readEnvOf, runProcess } from '@sandman/runtime';
import { agreeOnShards } from '@sandman/store';
import type { Account } from './accounts.ts';
import { buildDashboard } from './app.ts';

await runProcess('dashboard', async (fail) => {
  const env = readEnvOf('dashboard', process.env);
  const accounts: Account[] = [{ user: env.DASHBOARD_USER, password: env.DASHBOARD_PASSWORD, role: 'operator' }];
  const viewer = { user: env.DASHBOARD_VIEWER_USER, password: env.DASHBOARD_VIEWER_PASSWORD };
  if (viewer.user && !viewer.password)
    throw new EnvError('DASHBOARD_VIEWER_PASSWORD is missing: it must be set where DASHBOARD_VIEWER_USER is');
  if (viewer.password && !viewer.user)
    throw new EnvError('DASHBOARD_VIEWER_USER is missing: it must be set where DASHBOARD_VIEWER_PASSWORD is');
  if (viewer.user === env.DASHBOARD_USER) throw new EnvError('DASHBOARD_VIEWER_USER is malformed: it must be another than DASHBOARD_USER');
  if (viewer.user && viewer.password) accounts.push({ user: viewer.user, password: viewer.password, role: 'viewer' });

  const logger = createLogger(env.LOG_LEVEL, 'dashboard');
  // A person waits for each page, so commands fail quickly and do not wait until Redis can be reached.
  const redis = connectRedis(env.REDIS_URL, 'request', (err) => logger.warn({ err }, 'Redis connection'));
  const admission = new Admission({
    check: () => agreeOnShards(redis, env.KEY_PREFIX, env.SHARDS),
    fail,
    unknown: (err) => logger.warn({ err }, 'SHARDS could not be compared with the data in Redis yet: this process waits'),
  });
  await admission.soon();
  const app = await buildDashboard({
    redis,
    prefix: env.KEY_PREFIX,
    shards: env.SHARDS,
    accounts,
    podPrice: env.POD_PRICE_PER_HOUR,
    keepAlive: env.KEEP_ALIVE_TIMEOUT,
    trustedProxies: env.TRUST_PROXY,
    logger,
  });
  const address = await app.listen({ host: env.HOST, port: env.DASHBOARD_PORT });
  logger.info({ address }, 'dashboard is up');
  return {
    async close() {
      admission.close();
      await app.close();
      redis.disconnect();
    },
  };
});
