import type { Assembly } from '@sandman/assembly';
import { PolicySet } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import { createLogger, createMetrics, readEnvOf } from '@sandman/runtime';
import type { SessionManagerClient } from '@sandman/session-manager';
import type { RedisJournal, RedisShadowPolicies } from '@sandman/store';
import { Ajv } from 'ajv';
import fastJsonStringify, { type Schema } from 'fast-json-stringify';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildApi } from './app.ts';

const KEY = 'a-key-that-may-be-used';
const JSON_CALL = { 'x-api-key': KEY, 'content-type': 'application/json' };

/** Makes a dependency whose every method throws: a request that should be refused but reaches it gets a 500. */
function unreachable<T extends object>(): T {
  const refuse = (_: unknown, method: string | symbol) => () => {
    throw new Error(`reached ${String(method)}`);
  };
  return new Proxy<T>(Object.create(null), { get: refuse });
}

let app: Awaited<ReturnType<typeof buildApi>>;

beforeAll(async () => {
  app = await buildApi({
    service: unreachable<SessionService>(),
    journal: unreachable<RedisJournal>(),
    sessionManager: unreachable<SessionManagerClient>(),
    policies: { current: new PolicySet() },
    shadows: unreachable<RedisShadowPolicies>(),
    env: readEnvOf('api', {
      REDIS_URL: 'redis://127.0.0.1:1',
      API_KEYS: `another-key-entirely,${KEY}`,
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'unused',
      SESSION_MANAGER_TIMEOUT: '1s',
      KEEP_ALIVE_TIMEOUT: '1s',
    }),
    redis: unreachable<Assembly['redis']>(),
    metrics: createMetrics('api'),
    logger: createLogger('silent', 'api'),
    tracing: { requests: null },
    fleet: {
      sessions: async () => ({ active: 0, 'falling-asleep': 0, sleeping: 0, waking: 0, deleting: 0 }),
      backlog: async () => ({ sleep: 0, delete: 0, wake: 0 }),
      usage: async () => new Map(),
      shadows: async () => new Map(),
      policies: () => ({ names: [], shadows: [] }),
    },
    admission: { isGiven: true },
    ready: async () => false,
  });
});
afterAll(() => app.close());

const post = (url: string, body: unknown): InjectOptions => ({
  method: 'POST',
  url,
  headers: JSON_CALL,
  payload: typeof body === 'string' ? body : JSON.stringify(body),
});
const get = (url: string): InjectOptions => ({ method: 'GET', url, headers: { 'x-api-key': KEY } });

test.each<[string, InjectOptions]>([
  ['no key', { url: '/v1/policies' }],
  ['a wrong key', { url: '/v1/policies', headers: { 'x-api-key': `${KEY}x` } }],
  ['a path that spells /v1 otherwise', { url: '/%761/policies' }],
  [
    'a malformed body without a key',
    { method: 'POST', url: '/v1/sessions', headers: { 'content-type': 'application/json' }, payload: '{' },
  ],
])('%s is unauthorized', async (_, call) => {
  const answer = await app.inject(call);
  expect(answer.statusCode).toBe(401);
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.json()).toEqual({
    type: expect.any(String),
    title: expect.any(String),
    status: 401,
    detail: expect.any(String),
    code: 'unauthorized',
  });
});

test.each([{ 'x-api-key': KEY }, { authorization: `Bearer ${KEY}` }])('a key is taken from %o', async (headers) => {
  expect((await app.inject({ url: '/v1/policies', headers })).statusCode).toBe(200);
});

test.each<[string, string, InjectOptions]>([
  ['userId', 'missing', post('/v1/sessions', {})],
  ['userId', 'a number', post('/v1/sessions', { userId: 5 })],
  ['userId', 'too long', post('/v1/sessions', { userId: 'u'.repeat(256) })],
  ['userId', 'too long in a path', post(`/v1/users/${'u'.repeat(256)}/activity`, {})],
  ['policy', 'unknown', post('/v1/sessions', { userId: 'u', policy: 'none' })],
  ['policy.sleepAfter', 'no duration', post('/v1/sessions', { userId: 'u', policy: { sleepAfter: 'soon', deleteAfter: '1h' } })],
  ['uuid', 'of other characters', get('/v1/sessions/a.b')],
  ['uuid', 'too long', get(`/v1/sessions/${'a'.repeat(65)}`)],
  ['kind', 'unknown', post('/v1/sessions/a/activity', { kind: 'robot' })],
  ['at', 'without a zone', post('/v1/sessions/a/activity', { at: '2026-01-01T00:00:00' })],
  ['x', 'a stranger', post('/v1/sessions/a/activity', { x: 1 })],
  ['wait', 'too long', post('/v1/sessions/a/wake?wait=121s', '')],
  ['for', 'given with until', post('/v1/sessions/a/hold', { for: '1m', until: '2030-01-01T00:00:00Z' })],
  ['for', 'missing with until', post('/v1/sessions/a/hold', {})],
  ['limit', '0', get('/v1/sessions?limit=0')],
  ['limit', '1001', get('/v1/sessions?limit=1001')],
  ['limit', 'given twice', get('/v1/sessions?limit=1&limit=2')],
  ['status', 'unknown', get('/v1/sessions?status=awake')],
  ['events', '1001 of them', post('/v1/activity', { events: Array(1_001).fill({ uuid: 'a' }) })],
  ['message', 'missing', post('/v1/sessions/a/chat', {})],
])('%s (%s) is refused by name', async (field, _, call) => {
  const answer = await app.inject(call);
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ code: 'invalid-request', status: 400 });
  expect(answer.json().detail).toMatch(new RegExp(`^${field}\\b`));
});

test('broken JSON is an invalid request', async () => {
  expect((await app.inject(post('/v1/sessions', '{'))).json()).toMatchObject({ status: 400, code: 'invalid-request' });
});

test('more than 1 MiB is too large', async () => {
  const answer = await app.inject(post('/v1/sessions', { userId: 'u'.repeat(1_048_576) }));
  expect(answer.json()).toMatchObject({ status: 413, code: 'payload-too-large' });
});

test('an unknown route is a problem of its own', async () => {
  expect((await app.inject(get('/nowhere'))).json()).toMatchObject({ status: 404, code: 'not-found' });
});

test('no pod is made while Redis is away', async () => {
  const answer = await app.inject(post('/v1/sessions', { userId: 'u' }));
  expect(answer.json()).toMatchObject({ status: 503, code: 'not-ready' });
  expect(answer.headers['retry-after']).toBe('1');
});

test('a fault says nothing of its inside', async () => {
  const answer = await app.inject(get('/v1/sessions/a'));
  expect(answer.json()).toMatchObject({ status: 500, code: 'internal' });
  expect(answer.body).not.toContain('reached');
});

test('each malformed event is rejected alone', async () => {
  const events = [5, null, {}, { uuid: 'a', userId: 'b' }, { uuid: 'a', x: 1 }, { uuid: 'a', at: 'yesterday' }];
  const answer = await app.inject(post('/v1/activity', { events }));
  expect(answer.statusCode).toBe(202);
  expect(answer.json()).toEqual({ accepted: 0, rejected: events.map((_, index) => ({ index, code: 'invalid-request' })) });
});

test('no events are no error', async () => {
  expect((await app.inject(post('/v1/activity', { events: [] }))).json()).toEqual({ accepted: 0, rejected: [] });
});

test('probes and docs ask for no key, and readiness tells the truth', async () => {
  for (const url of ['/healthz', '/metrics', '/docs/', '/openapi.json']) expect((await app.inject(url)).statusCode, url).toBe(200);
  expect((await app.inject('/readyz')).statusCode).toBe(503);
});

test.each(['a b', '[::1'])('the docs under the host "%s" are an invalid request', async (host) => {
  const answer = await app.inject({ url: '/docs/', headers: { host } });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.json()).toMatchObject({ status: 400, code: 'invalid-request', detail: expect.stringMatching(/^host /) });
});

test('an address that cannot be decoded is an invalid request, and the end of the connection', async () => {
  const answer = await app.inject(get('/v1/sessions/%zz'));
  expect(answer.json()).toMatchObject({ status: 400, code: 'invalid-request' });
  expect(answer.headers).toMatchObject({ connection: 'close', 'x-content-type-options': 'nosniff' });
});

test('what is not there below the docs is a problem, too', async () => {
  const answer = await app.inject('/docs/nothing');
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.json()).toMatchObject({ status: 404, code: 'not-found' });
});

test('the OpenAPI document is of 3.1 and declares the key', async () => {
  const document = (await app.inject('/openapi.json')).json();
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(Object.values(document.components.securitySchemes)).toContainEqual({ type: 'apiKey', in: 'header', name: 'X-API-Key' });
  expect(document.paths['/v1/sessions/{uuid}/chat'].post).toBeDefined();
});

test('each schema of the document compiles, which the API does when a request first needs it', async () => {
  interface Content {
    readonly content?: Record<string, { readonly schema?: Schema }>;
  }
  interface Operation {
    readonly parameters?: readonly { readonly schema: Schema }[];
    readonly requestBody?: Content;
    readonly responses: Record<string, Content>;
  }
  const { paths } = (await app.inject('/openapi.json')).json<{ paths: Record<string, Record<string, Operation>> }>();
  const schemas = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap(({ parameters = [], requestBody = {}, responses }) => {
      const contents = [requestBody, ...Object.values(responses)].flatMap(({ content = {} }) => Object.values(content));
      return [...parameters, ...contents].flatMap(({ schema }) => schema ?? []);
    });
  expect(schemas.length).toBeGreaterThan(50);
  for (const schema of schemas) {
    new Ajv({ strict: false }).compile(schema as object);
    fastJsonStringify(schema);
  }
});
