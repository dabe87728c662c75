import { createServer } from 'node:http';
import { connectRedis, readEnv } from '@sandman/runtime';
import { Agent } from 'undici';

// What E2B and OpenPanel do: a sorted set says when each is due, and somebody looks through it every `BENCH_EVERY` ms.
const env = readEnv(process.env, ['REDIS_URL', 'KEY_PREFIX', 'SESSION_MANAGER_URL', 'HOST', 'PORT']);
const redis = connectRedis(env.REDIS_URL, 'worker', () => {});
const key = `${env.KEY_PREFIX}:due`;
const agent = new Agent({ connections: 50 });
const AT_ONCE = 1_000;

async function sleep(uuid: string): Promise<void> {
  const { body } = await agent.request({
    origin: env.SESSION_MANAGER_URL,
    path: `/session/${uuid}/sleep`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  await body.dump();
  await redis.zrem(key, uuid);
}

let looking = false;
setInterval(async () => {
  if (looking) return;
  looking = true;
  for (;;) {
    const due = await redis.zrangebyscore(key, '-inf', Date.now(), 'LIMIT', 0, AT_ONCE);
    if (due.length === 0) break;
    await Promise.all(due.map(sleep));
  }
  looking = false;
}, Number(process.env.BENCH_EVERY));
createServer((_, response) => response.end()).listen(env.PORT, env.HOST);
