import { once } from 'node:events';
import { createServer } from 'node:http';
import { connectRedis, readEnv } from '@sandman/runtime';
import type { Redis } from 'ioredis';
import { SessionCycle } from './fleet.ts';
import { TOUCH_SCRIPT, touchArguments } from './touch.ts';

// The upper limit that Redis and ioredis set: the script of a ping, a thousand in a pipeline, the next pipeline as soon as the
// last is answered. `GET /<seconds>` answers how many it ran per second.
const env = readEnv(process.env, ['REDIS_URL', 'KEY_PREFIX', 'HOST', 'PORT']);
const redis = connectRedis(env.REDIS_URL, 'worker', () => {}) as Redis;
const turns = new SessionCycle(Number(process.env.BENCH_SIZE));
const EVENTS_PER_CALL = 1_000;

async function run(seconds: number): Promise<number> {
  const from = performance.now();
  let events = 0;
  while (performance.now() - from < seconds * 1_000) {
    const pipeline = redis.pipeline();
    for (let i = 0; i < EVENTS_PER_CALL; i++) pipeline.evalsha(...touchArguments(env.KEY_PREFIX, turns.next()));
    await pipeline.exec();
    events += EVENTS_PER_CALL;
  }
  return events / ((performance.now() - from) / 1_000);
}

if (redis.status !== 'ready') await once(redis, 'ready');
await redis.script('LOAD', TOUCH_SCRIPT);
createServer(async (request, response) => {
  const seconds = Number(request.url?.slice(1));
  response.end(seconds > 0 ? String(await run(seconds)) : '');
}).listen(env.PORT, env.HOST);
