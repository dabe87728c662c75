import { request } from 'node:http';
import { type FoundRedis, redisForTests, startApp } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY, type SessionBody, TestStack } from './stack.ts';

let redis: FoundRedis;
let stack: TestStack;
let mine: SessionBody;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
  mine = await stack.create('ada');
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

const chars = (n: number) => 'x'.repeat(n);

describe('bad input gets the contract’s error and changes nothing', () => {
  const cases: [string, string, string, unknown, number, string][] = [
    ['half a surrogate pair', 'POST', '/v1/sessions', '{"userId": "x\\ud800"}', 400, 'invalid-request'],
    ['an unknown uuid', 'POST', '/v1/sessions/nobody00/activity', {}, 404, 'session-not-found'],
    ['an unknown uuid, read', 'GET', '/v1/sessions/nobody00', undefined, 404, 'session-not-found'],
    ['another user’s session', 'PUT', '/v1/sessions/MINE', { userId: 'eve' }, 409, 'conflict'],
    ['a path trick', 'GET', '/v1/sessions/..%2F..%2Fetc', undefined, 400, 'invalid-request'],
    ['a key’s hash tag as uuid', 'POST', '/v1/sessions/%7Bsandman:0%7D/activity', {}, 400, 'invalid-request'],
    ['a NUL in a uuid', 'GET', '/v1/sessions/a%00b', undefined, 400, 'invalid-request'],
    ['a broken escape', 'GET', '/v1/sessions/%E0%A4%A', undefined, 400, 'invalid-request'],
    ['a uuid of 65 characters', 'GET', `/v1/sessions/${chars(65)}`, undefined, 400, 'invalid-request'],
    ['an empty userId', 'POST', '/v1/sessions', { userId: '' }, 400, 'invalid-request'],
    ['the userId .', 'POST', '/v1/sessions', { userId: '.' }, 400, 'invalid-request'],
    ['the userId .., adopted', 'PUT', '/v1/sessions/dots', { userId: '..' }, 400, 'invalid-request'],
    ['the userId .. in a list', 'GET', '/v1/sessions?userId=..', undefined, 400, 'invalid-request'],
    ['a userId of 256 characters', 'POST', '/v1/sessions', { userId: chars(256) }, 400, 'invalid-request'],
    ['a userId that is a number', 'POST', '/v1/sessions', { userId: 5 }, 400, 'invalid-request'],
    ['no userId', 'POST', '/v1/sessions', {}, 400, 'invalid-request'],
    ['an unknown policy', 'POST', '/v1/sessions', { userId: 'a', policy: 'nope' }, 400, 'invalid-request'],
    ['a negative duration', 'PATCH', '/v1/sessions/MINE', { policy: { sleepAfter: '-5m', deleteAfter: '1h' } }, 400, 'invalid-request'],
    ['a huge duration', 'PATCH', '/v1/sessions/MINE', { policy: { sleepAfter: '366d', deleteAfter: '1h' } }, 400, 'invalid-request'],
    ['a field too many', 'PATCH', '/v1/sessions/MINE', { policy: 'simple', extra: 1 }, 400, 'invalid-request'],
    ['a hold of a week', 'POST', '/v1/sessions/MINE/hold', { for: '7d' }, 400, 'invalid-request'],
    ['a hold in the past', 'POST', '/v1/sessions/MINE/hold', { until: '2020-01-01T00:00:00Z' }, 400, 'invalid-request'],
    ['a hold of neither kind', 'POST', '/v1/sessions/MINE/hold', {}, 400, 'invalid-request'],
    ['a time that is none', 'POST', '/v1/sessions/MINE/activity', { at: 'yesterday' }, 400, 'invalid-request'],
    ['a kind that is none', 'POST', '/v1/sessions/MINE/activity', { kind: 'robot' }, 400, 'invalid-request'],
    ['a wait too long', 'POST', '/v1/sessions/MINE/wake?wait=121s', undefined, 400, 'invalid-request'],
    ['1,001 events', 'POST', '/v1/activity', { events: Array(1_001).fill({ uuid: 'nobody00' }) }, 400, 'invalid-request'],
    ['2 MB', 'POST', '/v1/sessions/MINE/chat', { message: chars(2_000_000) }, 413, 'payload-too-large'],
    ['broken JSON', 'POST', '/v1/sessions/MINE/activity', '{"at": ', 400, 'invalid-request'],
    ['JSON that is no object', 'POST', '/v1/sessions/MINE/activity', '[]', 400, 'invalid-request'],
    ['a chat without message', 'POST', '/v1/sessions/MINE/chat', {}, 400, 'invalid-request'],
    ['a limit of 0', 'GET', '/v1/sessions?limit=0', undefined, 400, 'invalid-request'],
    ['a limit of 1,001', 'GET', '/v1/sessions?limit=1001', undefined, 400, 'invalid-request'],
    ['a status that is none', 'GET', '/v1/sessions?status=dozing', undefined, 400, 'invalid-request'],
    ['a cursor that is none', 'GET', '/v1/sessions?cursor=!!', undefined, 400, 'invalid-request'],
    ['an unknown route', 'GET', '/v1/nothing', undefined, 404, 'not-found'],
  ];

  it.each(cases)('%s', async (_, method, path, body, status, code) => {
    const before = (await stack.call('GET', `/v1/sessions/${mine.uuid}`)).body;
    const answer = await stack.call<{ status: number; code: string; detail: string }>(method, path.replace('MINE', mine.uuid), body);
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect((await stack.call('GET', `/v1/sessions/${mine.uuid}`)).body).toEqual(before);
  });

  it.each(['/v1/users/../activity', '/v1/users/%2E%2e/logout', '/v1/users/./logout', '/v1/sessions/..', '/v1/sessions/%2E/activity'])(
    'an id that a path would lose: %s',
    async (path) => {
      // fetch would resolve the dots in the path.
      const status = await new Promise((resolve, reject) => {
        const { port } = new URL(stack.apiUrls[0]!);
        const method = path.endsWith('..') ? 'GET' : 'POST';
        request({ port, path, method, headers: { 'x-api-key': API_KEY } }, (answer) => resolve(answer.resume().statusCode))
          .once('error', reject)
          .end();
      });
      expect(status).toBe(400);
    },
  );

  it('names the field', async () => {
    const { body } = await stack.call<{ detail: string }>('PATCH', `/v1/sessions/${mine.uuid}`, {
      policy: { sleepAfter: '0s', deleteAfter: '1h' },
    });
    expect(body.detail).toMatch(/^policy\.sleepAfter must be a duration/);
  });

  it.each([
    ['none', {}],
    ['a wrong one', { 'x-api-key': 'test-api-key-0123456780' }],
    ['a wrong bearer', { 'x-api-key': '', authorization: 'Bearer nope' }],
  ])('a key: %s', async (_, headers) => {
    const answer = await fetch(`${stack.apiUrls[0]}/v1/sessions/${mine.uuid}/activity`, { method: 'POST', headers });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: 'unauthorized' });
  });

  it('the key as a bearer will do', async () => {
    const headers = { authorization: 'Bearer test-api-key-0123456789' };
    expect((await fetch(`${stack.apiUrls[0]}/v1/policies`, { headers })).status).toBe(200);
  });

  it('a deleted session: 410 to everything', async () => {
    const { uuid } = await stack.create('gone');
    expect((await stack.call('DELETE', `/v1/sessions/${uuid}`)).body).toMatchObject({ status: 'deleting' });
    await stack.until(uuid, 'deleted');
    for (const [method, path, body] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/activity'],
      ['POST', '/sleep'],
      ['POST', '/wake'],
      ['POST', '/hold', { for: '1m' }],
      ['POST', '/chat', { message: 'x' }],
      ['POST', '/keep', { for: '1m' }],
      ['DELETE', '/keep'],
      ['PATCH', '', { policy: 'simple' }],
    ] as const) {
      expect(await stack.call(method, `/v1/sessions/${uuid}${path}`, body)).toMatchObject({
        status: 410,
        body: { code: 'session-deleted' },
      });
    }
  });
});

it('the docs and the OpenAPI description are open, and the latter describes every call', async () => {
  const description = (await (await fetch(`${stack.apiUrls[0]}/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, unknown>;
  };
  expect(description.openapi).toMatch(/^3\.1/);
  expect(Object.keys(description.paths).sort()).toEqual([
    '/v1/activity',
    '/v1/events',
    '/v1/policies',
    '/v1/savings',
    '/v1/sessions',
    '/v1/sessions/{uuid}',
    '/v1/sessions/{uuid}/activity',
    '/v1/sessions/{uuid}/chat',
    '/v1/sessions/{uuid}/history',
    '/v1/sessions/{uuid}/hold',
    '/v1/sessions/{uuid}/keep',
    '/v1/sessions/{uuid}/sleep',
    '/v1/sessions/{uuid}/wake',
    '/v1/users/{userId}/activity',
    '/v1/users/{userId}/logout',
  ]);
  const docs = await (await fetch(`${stack.apiUrls[0]}/docs`, { redirect: 'follow' })).text();
  expect(docs).toContain('/openapi.json');
});

it('keys and messages are not in the logs', async () => {
  await stack.call('POST', `/v1/sessions/${mine.uuid}/chat`, { message: 'a-very-private-message' });
  const written = [...stack.apis, ...stack.workers].map((app) => app.stdout() + app.stderr()).join('');
  expect(written).not.toMatch(/test-api-key|test-session-manager-key|a-very-private-message/);
});

// A few for each process; packages/runtime/src/env.test.ts has every variable. Concurrent, because each test runs a process.
describe.concurrent('a bad environment is one line and exit code 2', () => {
  const good = {
    REDIS_URL: 'redis://127.0.0.1:1',
    SESSION_MANAGER_URL: 'http://127.0.0.1:1',
    SESSION_MANAGER_API_KEY: 'k',
    API_KEYS: 'a-key-of-enough-length',
    DASHBOARD_USER: 'admin',
    DASHBOARD_PASSWORD: 'secret',
  };
  it.each([
    ['api', { API_KEYS: 'short' }, 'API_KEYS'],
    ['api', { POLICIES: '{"x": {"sleepAfter": "1y"}}' }, 'POLICIES.x.sleepAfter'],
    ['api', { DEFAULT_POLICY: 'nope' }, 'DEFAULT_POLICY'],
    ['worker', { SESSION_MANAGER_URL: '' }, 'SESSION_MANAGER_URL'],
    ['dashboard', { DASHBOARD_VIEWER_USER: 'v' }, 'DASHBOARD_VIEWER_PASSWORD is missing'],
    ['dashboard', { DASHBOARD_VIEWER_PASSWORD: 'v' }, 'DASHBOARD_VIEWER_USER is missing'],
    ['dashboard', { DASHBOARD_VIEWER_USER: 'admin', DASHBOARD_VIEWER_PASSWORD: 'v' }, 'DASHBOARD_VIEWER_USER is malformed'],
    ['session-manager-sim', {}, 'SIM_API_KEY'],
  ])('%s %j', async (app, bad, variable) => {
    const started = startApp(app, { ...good, ...(bad as Record<string, string>) });
    expect(await started.exited).toBe(2);
    expect(started.stderr().trim().split('\n')).toHaveLength(1);
    expect(started.stderr()).toContain(variable);
    expect(started.stderr()).not.toContain('short');
  });
});
