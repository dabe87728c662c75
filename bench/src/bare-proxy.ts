import { once } from 'node:events';
import { readEnv } from '@sandman/runtime';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { Agent } from 'undici';
import { TOUCH_SCRIPT, touchArguments } from './touch.ts';

// The upper limit that Fastify, Redis and undici set: no key, no schema, no metrics, one EVALSHA of the script that a chat's
// activity runs, and the answer streamed back.
const env = readEnv(process.env, ['KEY_PREFIX', 'HOST', 'PORT', 'SESSION_MANAGER_URL']);
const redis = new Redis(process.env.REDIS_URL ?? '');
const agent = new Agent();

const app = Fastify();
app.post('/v1/sessions/:uuid/chat', async (request, reply) => {
  const { uuid } = request.params as { uuid: string };
  await redis.evalsha(...touchArguments(env.KEY_PREFIX, uuid));
  const { statusCode, headers, body } = await agent.request({
    origin: env.SESSION_MANAGER_URL,
    path: `/session/${uuid}/chat`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request.body),
  });
  return reply.code(statusCode).header('content-type', headers['content-type']).send(body);
});
app.get('/readyz', () => 'ok');
await once(redis, 'ready');
await redis.script('LOAD', TOUCH_SCRIPT);
await app.listen({ host: env.HOST, port: env.PORT });
