import { createLogger } from '@sandman/runtime';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDashboard } from './app.ts';
import { cookieOf, logIn, OPERATOR, useDashboards, VIEWER } from './dashboard.fixture.ts';

const on = useDashboards();

/** The dashboard of all tests that need none of their own: deriving its key takes 0.25 s. */
let shared: FastifyInstance;
beforeAll(async () => {
  const common = { podPrice: null, keepAlive: 1_000, trustedProxies: ['10.1.0.0/16'], logger: createLogger('silent', 'test') };
  shared = await buildDashboard({ connection: on.connectTo('login', 1), accounts: [OPERATOR, VIEWER], ...common });
});
afterAll(() => shared?.close());

let addresses = 0;
/** Returns the shared dashboard, with requests from a new address: the login tries are counted per address. */
function fromElsewhere(): FastifyInstance {
  const remoteAddress = `10.0.0.${++addresses}`;
  const inject = (options: object) => shared.inject({ remoteAddress, ...options });
  return Object.create(shared, { inject: { value: inject } });
}

it('without a login: a page leads to the login, anything else is 401', async () => {
  const app = fromElsewhere();
  const page = await app.inject({ url: '/?session=abc', headers: { accept: 'text/html' } });
  expect(page).toMatchObject({ statusCode: 302, headers: { location: '/login?next=%2F%3Fsession%3Dabc' } });
  for (const url of ['/', '/queues', '/queues/api/queues', '/api/trend', '/api/live', '/no/such/page']) {
    const answer = await app.inject({ url });
    expect(answer.statusCode, url).toBe(401);
    expect(answer.json()).toMatchObject({ status: 401, code: 'unauthorized' });
  }
  for (const url of ['/login', '/healthz', '/readyz', '/assets/style.css']) expect((await app.inject({ url })).statusCode, url).toBe(200);
});

it.each([
  ['a wrong password', { ...OPERATOR, password: VIEWER.password }],
  ['a wrong user', { ...OPERATOR, user: 'root' }],
  ['nobody', { user: '', password: '' }],
])('%s: the form again, 401, and no cookie', async (_, account) => {
  const answer = await logIn(fromElsewhere(), account);
  expect(answer.statusCode).toBe(401);
  expect(answer.headers['set-cookie']).toBeUndefined();
  expect(answer.body).toContain('Wrong user or password.');
});

it('the right one gets a cookie that no script and no other site can use, and goes where it wanted to', async () => {
  const app = fromElsewhere();
  const answer = await logIn(app, OPERATOR, {}, '?next=%2F%3Fsession%3Dabc');
  expect(answer).toMatchObject({ statusCode: 303, headers: { location: '/?session=abc' } });
  expect(answer.headers['set-cookie']).toMatch(/^sandman=[^;]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  expect((await logIn(app, OPERATOR, { 'x-forwarded-proto': 'https' })).headers['set-cookie']).toMatch(/; Secure/);
  const headers = await cookieOf(app, OPERATOR);
  expect((await app.inject({ url: '/', headers })).body).toContain('/assets/main.js');
});

it.each(['https://evil.example/', '//evil.example/', '/\\evil.example', '/\t/evil.example', '/€', ''])(
  'after a login nobody is sent to %j',
  async (next) => {
    const answer = await logIn(fromElsewhere(), OPERATOR, {}, `?next=${encodeURIComponent(next)}`);
    expect(answer.headers.location).toBe('/');
  },
);

describe('a cookie', () => {
  const status = async (app: FastifyInstance, cookie: string) => (await app.inject({ url: '/api/trend', headers: { cookie } })).statusCode;
  const year = Date.now() + 31_536_000_000;

  it('that was changed, or signed with another key, is refused', async () => {
    const app = fromElsewhere();
    const { cookie } = await cookieOf(app, VIEWER);
    expect(await status(app, cookie)).toBe(200);
    expect(await status(app, cookie.replace('.viewer.', '.operator.'))).toBe(401);
    expect(await status(app, `sandman=${year}.operator.olga`)).toBe(401);
    const stranger = await on.open({ accounts: [{ ...OPERATOR, password: 'another' }] });
    expect(await status(app, (await cookieOf(stranger, { ...OPERATOR, password: 'another' })).cookie)).toBe(401);
  });

  it('is refused once it is 12 hours old', async () => {
    const app = fromElsewhere();
    expect(await status(app, `sandman=${app.signCookie(`${Date.now() + 60_000}.operator.olga`)}`)).toBe(200);
    expect(await status(app, `sandman=${app.signCookie(`${Date.now() - 1}.operator.olga`)}`)).toBe(401);
  });

  it('that expires while its page is open ends the page’s stream', async () => {
    const app = fromElsewhere();
    const cookie = `sandman=${app.signCookie(`${Date.now() + 1_500}.operator.olga`)}`;
    const { statusCode, body } = await app.inject({ url: '/api/live', headers: { cookie } });
    expect(statusCode).toBe(200);
    expect(body).toContain('event: overview');
  });

  it('holds at every dashboard of a fleet, and after a restart', async () => {
    const { cookie } = await cookieOf(fromElsewhere(), OPERATOR);
    expect(await status(await on.open(), cookie)).toBe(200);
  });

  it('is removed at logout', async () => {
    const app = fromElsewhere();
    const answer = await app.inject({ method: 'POST', url: '/logout', headers: await cookieOf(app, VIEWER) });
    expect(answer).toMatchObject({ statusCode: 303, headers: { location: '/login' } });
    expect(answer.headers['set-cookie']).toMatch(/^sandman=; Max-Age=0; Path=\/; Expires=Thu, 01 Jan 1970/);
  });
});

describe('another site', () => {
  it.each([
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: 'http://localhost' }, 403],
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://sandman.example' }, 303],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://behind.a.proxy.example' }, 303],
    [{}, 303],
  ])('%j: %i for a login and a logout', async (from, expected) => {
    const app = fromElsewhere();
    const headers = { host: 'sandman.example', ...from };
    expect((await logIn(app, OPERATOR, headers)).statusCode).toBe(expected);
    const cookie = await cookieOf(app, OPERATOR);
    expect((await app.inject({ method: 'POST', url: '/logout', headers: { ...headers, ...cookie } })).statusCode).toBe(expected);
    const slept = await app.inject({ method: 'POST', url: '/api/sessions/nobody/sleep', headers: { ...headers, ...cookie } });
    expect(slept.statusCode).toBe(expected === 403 ? 403 : 404);
  });
});

it('after ten tries within a minute there is no eleventh, be it right', async () => {
  const app = fromElsewhere();
  for (let i = 0; i < 10; i++) expect((await logIn(app, { ...OPERATOR, password: `guess-${i}` })).statusCode).toBe(401);
  const answer = await logIn(app, OPERATOR);
  expect(answer.statusCode).toBe(429);
  expect(answer.headers['set-cookie']).toBeUndefined();
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

it('tries are counted by the address that a trusted proxy names, and that of anybody else is not believed', async () => {
  const from = (remoteAddress: string, client: string) =>
    shared.inject({
      method: 'POST',
      url: '/login',
      remoteAddress,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': client },
      payload: 'user=olga&password=guess',
    });
  for (let i = 0; i < 10; i++) expect((await from('10.2.0.1', `192.0.2.${i}`)).statusCode).toBe(401);
  expect((await from('10.2.0.1', '192.0.2.10')).statusCode).toBe(429);
  for (let i = 0; i < 10; i++) expect((await from('10.1.0.1', '192.0.2.20')).statusCode).toBe(401);
  expect((await from('10.1.0.2', '192.0.2.20')).statusCode).toBe(429);
  expect((await from('10.1.0.1', '192.0.2.21')).statusCode).toBe(401);
});

it.each([
  ['a form of other fields', 'application/x-www-form-urlencoded', 'name=olga', 401],
  ['what is no form', 'text/plain', 'user=olga', 401],
  ['broken JSON', 'application/json', '{', 400],
  ['fields twice', 'application/x-www-form-urlencoded', 'user=olga&user=olga&password=operator-secret', 401],
])('%s: no login', async (_, type, payload, expected) => {
  const app = fromElsewhere();
  const answer = await app.inject({ method: 'POST', url: '/login', headers: { 'content-type': type }, payload });
  expect(answer.statusCode).toBe(expected);
  expect(answer.headers['set-cookie']).toBeUndefined();
});
