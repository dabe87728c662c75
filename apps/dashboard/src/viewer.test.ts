import { randomUUID } from 'node:crypto';
import { PolicySet } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { system } from '@sandman/runtime';
import { RedisSessionStore } from '@sandman/store';
import type { FastifyInstance } from 'fastify';
import { expect, it } from 'vitest';
import { cookieOf, OPERATOR, useDashboards, VIEWER } from './dashboard.fixture.ts';

const on = useDashboards();

/** Returns every route with a method that can change something, from the tree that Fastify prints. */
function changingRoutes(app: FastifyInstance): { method: string; url: string }[] {
  const above: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', path = '', methods = ''] = /^([│ ]*)[├└]── (\S*) \(([A-Z, ]+)\)$/.exec(line) ?? [];
      above.splice(indent.length / 4, Number.POSITIVE_INFINITY, path);
      const url = above.join('/').replaceAll(/\/+/g, '/');
      return methods.split(', ').flatMap((method) => (method === '' || method === 'GET' || method === 'HEAD' ? [] : { method, url }));
    });
}

/** Creates one session with its alarms. */
async function session(prefix: string): Promise<{ store: RedisSessionStore; alarms: AlarmQueues; jobs: () => Promise<string[]> }> {
  const store = new RedisSessionStore(on.redis, { prefix, shards: 1, slack: 1 });
  const alarms = new AlarmQueues(on.redis, prefix, 1, () => {});
  const policy = new PolicySet().default;
  const service = new SessionService({ store, alarms, policies: unchanging(policy), system, unarmed: () => {} });
  await service.track('s1', { userId: 'ada', workspaceUrl: '', policy });
  const jobs = async () =>
    (await Promise.all([alarms.next('sleep', 10), alarms.next('delete', 10)])).flat().map(({ n, name }) => `${name}-${n}`);
  return { store, alarms, jobs };
}

function fill(url: string, job: string): string {
  return url
    .replace(':uuid', 's1')
    .replace(':queueName', 'sleep')
    .replace(':jobId', job)
    .replace(':queueStatus', 'delayed')
    .replace(':schedulerId', 'x');
}

const BODY = { for: '1h', name: 'sleep', data: {}, options: {}, jobData: {}, delay: 1, priority: 1, concurrency: 1 };

it('a viewer can change nothing: neither by the page’s routes nor by Bull Board’s', async () => {
  const prefix = `viewer-${randomUUID()}`;
  const app = await on.open({ prefix });
  const { store, alarms, jobs } = await session(prefix);
  const before = { record: (await store.read('s1')).record, jobs: await jobs() };
  expect(before.jobs).toHaveLength(2);
  const headers = await cookieOf(app, VIEWER);
  const changing = changingRoutes(app).filter(({ url }) => url !== '/login' && url !== '/logout');
  expect(changing.length).toBeGreaterThan(25);
  for (const [method, url] of [
    ['DELETE', '/api/sessions/:uuid'],
    ['POST', '/api/sessions/:uuid/keep'],
    ['DELETE', '/api/sessions/:uuid/keep'],
  ])
    expect(changing).toContainEqual({ method, url });
  expect(changing).toContainEqual({ method: 'PUT', url: '/queues/api/queues/:queueName/:jobId/promote' });
  for (const { method, url } of changing) {
    const answer = await app.inject({ method: method as 'PUT', url: fill(url, `sleep-s1-${before.record!.n}`), headers, payload: BODY });
    expect(answer.statusCode, `${method} ${url}`).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'forbidden' });
  }
  // Paths without a route are refused too.
  for (const method of ['PUT', 'PATCH', 'DELETE', 'POST'] as const) {
    expect((await app.inject({ method, url: '/api/nothing', headers, payload: BODY })).statusCode).toBe(403);
  }
  expect({ record: (await store.read('s1')).record, jobs: await jobs() }).toEqual(before);
  for (const url of ['/', '/api/trend', '/queues', '/queues/api/queues'])
    expect((await app.inject({ url, headers })).statusCode, url).toBe(200);
  await alarms.close();
});

it('a page of jobs that is out of bounds is refused, to a viewer and to an operator', async () => {
  const app = await on.open();
  for (const account of [VIEWER, OPERATOR]) {
    const headers = await cookieOf(app, account);
    const get = (query: string) => app.inject({ url: `/queues/api/queues?activeQueue=sleep&${query}`, headers });
    for (const query of ['', 'page=&jobsPerPage=', 'page=1&jobsPerPage=300']) expect((await get(query)).statusCode, query).toBe(200);
    const beyond = [
      'jobsPerPage=301',
      'jobsPerPage=1e5',
      'jobsPerPage=0x10',
      'jobsPerPage=1&jobsPerPage=2',
      'page=0',
      'page=-1',
      'page=1000001',
    ];
    for (const query of beyond) {
      const answer = await get(query);
      expect(answer.statusCode, query).toBe(400);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      const [field] = query.split('=');
      expect(answer.json()).toMatchObject({ code: 'invalid-request', detail: expect.stringMatching(new RegExp(`^${field} must be`)) });
    }
  }
});

it('Bull Board changes nothing for an operator either: a job moved by hand would be an alarm lost', async () => {
  const prefix = `board-${randomUUID()}`;
  const app = await on.open({ prefix });
  const { store, alarms, jobs } = await session(prefix);
  const before = { record: (await store.read('s1')).record, jobs: await jobs() };
  const headers = await cookieOf(app, OPERATOR);
  for (const { method, url } of changingRoutes(app).filter(({ url }) => url.startsWith('/queues'))) {
    const answer = await app.inject({ method: method as 'PUT', url: fill(url, `sleep-s1-${before.record!.n}`), headers, payload: BODY });
    expect(answer.statusCode, `${method} ${url}`).toBe(403);
  }
  expect({ record: (await store.read('s1')).record, jobs: await jobs() }).toEqual(before);
  await alarms.close();
});

it('an operator may do by hand what the page offers', async () => {
  const prefix = `operator-${randomUUID()}`;
  const app = await on.open({ prefix });
  const { store, alarms } = await session(prefix);
  const headers = await cookieOf(app, OPERATOR);
  const call = async (method: 'POST' | 'DELETE', path: string, payload?: object) => {
    const answer = await app.inject({ method, url: `/api/sessions/s1${path}`, headers, ...(payload ? { payload } : {}) });
    return [answer.statusCode, answer.json().code ?? answer.json().status];
  };
  expect(await call('POST', '/sleep')).toEqual([202, 'falling-asleep']);
  expect(await call('POST', '/wake')).toEqual([202, 'active']);
  expect(await call('POST', '/hold', { for: '4h' })).toEqual([202, 'active']);
  expect((await store.read('s1')).record!.holdUntil).toBeGreaterThan(Date.now() + 3 * 3_600_000);
  expect(await call('DELETE', '/hold')).toEqual([202, 'active']);
  expect((await store.read('s1')).record!.holdUntil).toBe(0);
  for (const body of [{ for: '25h' }, { for: 'long' }, {}]) expect(await call('POST', '/hold', body)).toEqual([400, 'invalid-request']);
  expect(await call('DELETE', '')).toEqual([202, 'deleting']);
  expect(await call('POST', '/wake')).toEqual([410, 'session-deleted']);
  expect((await app.inject({ method: 'POST', url: '/api/sessions/a%20b/wake', headers })).json()).toMatchObject({
    code: 'invalid-request',
  });
  await alarms.close();
});

/** Opens a dashboard with one session. `call` sends what a button sends, and returns the code and what the page then shows. */
async function operated() {
  const prefix = `operator-${randomUUID()}`;
  const app = await on.open({ prefix });
  const { store, alarms } = await session(prefix);
  const headers = await cookieOf(app, OPERATOR);
  const call = async (method: 'POST' | 'DELETE', path: string, payload?: object) => {
    const answer = await app.inject({ method, url: `/api/sessions/s1${path}`, headers, ...(payload ? { payload } : {}) });
    return { code: answer.statusCode, shown: answer.json() };
  };
  const record = async () => (await store.read('s1')).record!;
  return { call, record, close: () => alarms.close() };
}

it('a kept session is deleted only by a delete that forces it', async () => {
  const { call, record, close } = await operated();
  const before = Date.now();
  const kept = await call('POST', '/keep', { for: '7d' });
  expect(kept).toMatchObject({ code: 202, shown: { status: 'active', inGrace: false } });
  expect(Date.parse(kept.shown.keepUntil) - before - 7 * 86_400_000).toBeLessThan(10_000);
  expect(await call('DELETE', '')).toMatchObject({
    code: 409,
    shown: { code: 'kept', detail: expect.stringContaining(kept.shown.keepUntil) },
  });
  expect(await call('DELETE', '?grace=1h')).toMatchObject({ code: 409, shown: { code: 'kept' } });
  expect(await call('DELETE', '/keep')).toMatchObject({ code: 202, shown: { keepUntil: null } });
  expect(await call('DELETE', '?force=true')).toMatchObject({ code: 400, shown: { detail: expect.stringMatching(/^force /) } });
  expect(await record()).toMatchObject({ wanted: 'awake', keepUntil: 0 });
  await call('POST', '/keep', { for: '3650d' });
  expect(await call('DELETE', '?force=true')).toMatchObject({ code: 202, shown: { status: 'deleting', keepUntil: null } });
  await close();
});

it('a delete with a grace puts to sleep, and a wake takes it back', async () => {
  const { call, record, close } = await operated();
  const requested = await call('DELETE', '?grace=1h');
  expect(requested).toMatchObject({ code: 202, shown: { status: 'falling-asleep', inGrace: true } });
  expect(Math.abs(Date.parse(requested.shown.deleteAt) - Date.now() - 3_600_000)).toBeLessThan(10_000);
  expect(await call('POST', '/wake')).toMatchObject({ code: 202, shown: { inGrace: false } });
  expect(await record()).toMatchObject({ wanted: 'awake', graceUntil: 0 });
  // A later delete without a grace replaces the one with a grace.
  await call('DELETE', '?grace=30d');
  expect(await call('DELETE', '?force=false')).toMatchObject({ code: 202, shown: { status: 'deleting', inGrace: false, deleteAt: null } });
  await close();
});

it('a bad span, grace or force is refused by name, and changes nothing', async () => {
  const { call, record, close } = await operated();
  const before = await record();
  const bad: readonly (readonly ['DELETE' | 'POST', string, string, object?])[] = [
    ['DELETE', '?grace=31d', 'grace'],
    ['DELETE', '?grace=40d', 'grace'],
    ['DELETE', '?grace=0s', 'grace'],
    ['DELETE', '?grace=', 'grace'],
    ['DELETE', '?grace=1h&grace=2h', 'grace'],
    // Without its grace, this would be a delete at once.
    ['DELETE', '?graze=1h', 'graze'],
    ['DELETE', '?force=yes', 'force'],
    ['DELETE', '?grace=1h&force=1', 'force'],
    ['POST', '/keep', 'for'],
    ['POST', '/keep', 'for', { for: '3651d' }],
    ['POST', '/keep', 'for', { for: '0s' }],
    ['POST', '/keep', 'for', { for: 'ever' }],
  ];
  for (const [method, path, field, payload] of bad) {
    const detail = expect.stringMatching(new RegExp(`^${field} `));
    const at = `${method} ${path} ${JSON.stringify(payload)}`;
    expect(await call(method, path, payload), at).toMatchObject({ code: 400, shown: { code: 'invalid-request', detail } });
    expect(await record(), at).toEqual(before);
  }
  await close();
});
