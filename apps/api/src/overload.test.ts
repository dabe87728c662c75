import { SandmanError } from '@sandman/core';
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { shedOverload } from './overload.ts';

let app: FastifyInstance;
let finish: () => void;

beforeEach(async () => {
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  app = Fastify();
  await shedOverload(app);
  app.addHook('onRequest', async ({ headers }) => {
    if (headers['x-api-key'] === 'wrong') throw new SandmanError('unauthorized', 'no');
  });
  app.post('/ping', () => finished);
  app.post('/chat', { config: { waits: true } }, () => finished);
  app.get('/healthz', { config: { probe: true } }, () => ({}));
});
afterEach(async () => {
  finish();
  await app.close();
});

// An inject that nobody awaits would not even begin.
const post = async (url: string, more: InjectOptions = {}) => app.inject({ method: 'POST', url, ...more });
const ping = (headers = {}) => post('/ping', { headers });
const many = <T>(n: number, call: () => T) => Array.from({ length: n }, call);

test('what is more than 1,000 at once is refused before its key is looked at, and nothing is once they are answered', async () => {
  const taken = many(1_000, () => ping());
  const refused = await ping({ 'x-api-key': 'wrong' });
  expect(refused.statusCode).toBe(503);
  expect(refused.headers).toMatchObject({ 'content-type': expect.stringContaining('application/problem+json'), 'retry-after': '1' });
  expect(refused.json()).toMatchObject({ status: 503, code: 'not-ready' });
  expect((await app.inject('/healthz')).statusCode).toBe(200);
  expect(app.isShedding()).toBe(true);

  finish();
  expect(new Set((await Promise.all(taken)).map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  expect((await ping()).statusCode).toBe(200);
  await vi.waitFor(() => expect(app.isShedding()).toBe(false), 5_000);
});

test('a body weighs by its size', async () => {
  const payload = { text: 'x'.repeat(99_000) };
  const taken = many(10, () => post('/ping', { payload }));
  // Ten of 97 are 970.
  const light = many(30, () => ping());
  expect((await ping()).statusCode).toBe(503);
  taken.push(...light);
  finish();
  for (const { statusCode } of await Promise.all(taken)) expect(statusCode).toBe(200);
});

test('one that is said to be long keeps nobody out', async () => {
  const taken = many(9, () => post('/ping', { payload: { text: 'x'.repeat(1_000_000) } }));
  const pinged = ping();
  expect(app.isShedding()).toBe(false);
  finish();
  for (const { statusCode } of [await pinged, ...(await Promise.all(taken))]) expect(statusCode).toBe(200);
});

test('what waits for others keeps no ping out', async () => {
  const waiting = many(1_500, () => post('/chat'));
  const pinged = ping();
  expect(app.isShedding()).toBe(false);
  finish();
  for (const { statusCode } of [await pinged, ...(await Promise.all(waiting))]) expect(statusCode).toBe(200);
});
