import { type FoundRedis, redisForTests } from '@sandman/testing';
import type { FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildDashboard } from './app.ts';

let found: FoundRedis;
let redis: Redis;
let app: FastifyInstance;

const basic = (user: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url, { maxRetriesPerRequest: null });
  app = await buildDashboard({ redis, prefix: 'dashboard-test', shards: 1, user: 'admin', password: 'right', onError: () => {} });
});

afterAll(async () => {
  await app?.close();
  redis?.disconnect();
  await found?.stop();
});

it.each([
  ['no login', {}],
  ['a wrong password', basic('admin', 'wrong')],
  ['a wrong user', basic('root', 'right')],
])('%s: 401 for the board and its API', async (_, headers) => {
  for (const url of ['/', '/queues', '/queues/api/queues']) expect((await app.inject({ url, headers })).statusCode).toBe(401);
});

it('shows the three queues, and lets nobody touch a job', async () => {
  const headers = basic('admin', 'right');
  expect((await app.inject({ url: '/', headers })).headers.location).toBe('/queues');
  expect((await app.inject({ url: '/queues', headers })).body).toContain('<html');
  const { queues } = (await app.inject({ url: '/queues/api/queues', headers })).json();
  expect(queues.map(({ name, readOnlyMode }: { name: string; readOnlyMode: boolean }) => [name, readOnlyMode]).sort()).toEqual([
    ['delete', true],
    ['sleep', true],
    ['wake', true],
  ]);
});

it('answers its probes to whoever asks', async () => {
  expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200);
  expect((await app.inject({ url: '/readyz' })).statusCode).toBe(200);
});
