import { createServer } from 'node:http';
import { connectRedis, readEnv } from '@sandman/runtime';
import { Worker } from 'bullmq';
import { bareSleep } from './bare-sleep.ts';
import { BARE_QUEUE } from './processes.ts';

// A BullMQ worker whose job is one bare POST: the lowest possible cost of a burst.
const env = readEnv(process.env, ['REDIS_URL', 'KEY_PREFIX', 'SESSION_MANAGER_URL', 'WORKER_CONCURRENCY', 'HOST', 'PORT']);
const redis = connectRedis(env.REDIS_URL, 'worker', () => {});
const sleep = bareSleep(env.SESSION_MANAGER_URL, env.WORKER_CONCURRENCY);
new Worker(BARE_QUEUE, ({ id }) => sleep(id ?? ''), {
  connection: redis,
  prefix: `{${env.KEY_PREFIX}}`,
  concurrency: env.WORKER_CONCURRENCY,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
});
createServer((_, response) => response.end()).listen(env.PORT, env.HOST);
