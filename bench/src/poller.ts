import { createServer } from 'node:http';
import { connectRedis, readEnv } from '@sandman/runtime';
import { bareSleep } from './bare-sleep.ts';

// What E2B and OpenPanel do: a sorted set says when each session is due, and a process reads it every `BENCH_EVERY` ms.
const env = readEnv(process.env, ['REDIS_URL', 'KEY_PREFIX', 'SESSION_MANAGER_URL', 'HOST', 'PORT']);
const redis = connectRedis(env.REDIS_URL, 'worker', () => {});
const key = `${env.KEY_PREFIX}:due`;
const sleep = bareSleep(env.SESSION_MANAGER_URL, 50);
const AT_ONCE = 1_000;

async function sleepAndForget(uuid: string): Promise<void> {
  await sleep(uuid);
  await redis.zrem(key, uuid);
}

let looking = false;
setInterval(async () => {
  if (looking) return;
  looking = true;
  for (;;) {
    const due = await redis.zrangebyscore(key, '-inf', Date.now(), 'LIMIT', 0, AT_ONCE);
    if (due.length === 0) break;
    await Promise.all(due.map(sleepAndForget));
  }
  looking = false;
}, Number(process.env.BENCH_EVERY));
createServer((_, response) => response.end()).listen(env.PORT, env.HOST);
