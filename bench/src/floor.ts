import { once } from 'node:events';
import { readEnv } from '@sandman/runtime';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { TOUCH_SCRIPT, touchArguments } from './touch.ts';

// The upper limit that Fastify and Redis set: no key, no schema, no metrics, one EVALSHA of the script that a ping of Sandman
// runs, calls of one turn of the event loop in one pipeline, and always the answer `BENCH_ANSWER` (JSON).
const env = readEnv(process.env, ['KEY_PREFIX', 'HOST', 'PORT']);
const answer = process.env.BENCH_ANSWER ?? '{}';
const redis = new Redis(process.env.REDIS_URL ?? '', { enableAutoPipelining: true });

const app = Fastify();
app.post('/v1/sessions/:uuid/activity', async (request, reply) => {
  const { uuid } = request.params as { uuid: string };
  await redis.evalsha(...touchArguments(env.KEY_PREFIX, uuid));
  return reply.code(202).header('content-type', 'application/json; charset=utf-8').send(answer);
});
app.get('/readyz', () => 'ok');
await once(redis, 'ready');
await redis.script('LOAD', TOUCH_SCRIPT);
await app.listen({ host: env.HOST, port: env.PORT });
