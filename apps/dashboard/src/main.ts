import { connectRedis, createLogger, readEnv, runProcess } from '@sandman/runtime';
import { buildDashboard } from './app.ts';

await runProcess('dashboard', async () => {
  const env = readEnv(process.env, [
    'REDIS_URL',
    'KEY_PREFIX',
    'SHARDS',
    'LOG_LEVEL',
    'HOST',
    'DASHBOARD_PORT',
    'DASHBOARD_USER',
    'DASHBOARD_PASSWORD',
  ]);
  const logger = createLogger(env.LOG_LEVEL, 'dashboard');
  // A person waits for each page: an error now is better than a page when Redis is back.
  const redis = connectRedis(env.REDIS_URL, 'request', (err) => logger.warn({ err }, 'Redis connection'));
  const app = await buildDashboard({
    redis,
    prefix: env.KEY_PREFIX,
    shards: env.SHARDS,
    user: env.DASHBOARD_USER,
    password: env.DASHBOARD_PASSWORD,
    onError: (err) => logger.warn({ err }, 'queue'),
  });
  const address = await app.listen({ host: env.HOST, port: env.DASHBOARD_PORT });
  logger.info({ address }, 'dashboard is up');
  return {
    async close() {
      await app.close();
      redis.disconnect();
    },
  };
});
