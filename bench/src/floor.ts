import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connectRedis, readEnv } from '@sandman/runtime';
import Fastify from 'fastify';

// What Fastify and Redis allow: no key, no schema, no metrics, one EVALSHA of the script that a ping of Sandman's runs,
// over the same connection, and an answer of `BENCH_ANSWER` (JSON) whatever that says.
const env = readEnv(process.env, ['REDIS_URL', 'KEY_PREFIX', 'HOST', 'PORT']);
const answer = process.env.BENCH_ANSWER ?? '{}';
const redis = connectRedis(env.REDIS_URL, 'request', () => {});
const text = readFileSync(new URL('../../packages/store/src/scripts/touch.lua', import.meta.url), 'utf8');
const sha = createHash('sha1').update(text).digest('hex');
const tag = `{${env.KEY_PREFIX}:0}`;

const app = Fastify();
app.post('/v1/sessions/:uuid/activity', async (request, reply) => {
  const { uuid } = request.params as { uuid: string };
  await redis.evalsha(sha, 2, `${tag}:ingest`, `${tag}:session:${uuid}`, 1, 'a', '');
  return reply.code(202).header('content-type', 'application/json; charset=utf-8').send(answer);
});
app.get('/readyz', () => 'ok');
await once(redis, 'ready');
await redis.script('LOAD', text);
await app.listen({ host: env.HOST, port: env.PORT });
