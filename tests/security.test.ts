import { connect } from 'node:net';
import { type AppProcess, formLogin, freePort, type RedisServer, startApp, startRedis, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SessionBody, TestStack } from './stack.ts';

/** Texts that must never appear in output. The Redis password needs escaping in a URL, and may not leak in either form. */
const SECRETS = {
  key: 'test-api-key-0123456789',
  'a wrong key': 'wrong-key-5d41402abc4b2a76',
  'the session-manager’s key': 'test-session-manager-key',
  'the Redis password': 'redis/secret+7c1d',
  'the Redis password as in the URL': encodeURIComponent('redis/secret+7c1d'),
  'a wrong Redis password': 'wrong-redis-secret-93ab',
  'the dashboard’s password': 'dashboard-secret-11fe',
  'a wrong dashboard password': 'wrong-dashboard-secret',
  'a chat message': 'the-pod-must-not-sleep-tonight',
};

/** Throws if a text contains a secret, as plain text, as base64, or as JSON writes a Buffer. */
function expectNoSecret(text: string): void {
  for (const [what, secret] of Object.entries(SECRETS)) {
    for (const form of [secret, [...Buffer.from(secret)].join(','), Buffer.from(secret).toString('base64').slice(0, -4)]) {
      if (text.includes(form)) expect.fail(`${what} was found: …${text.slice(Math.max(0, text.indexOf(form) - 200)).slice(0, 400)}…`);
    }
  }
}

const authorized = (url: string, password: string) => url.replace('redis://', `redis://:${encodeURIComponent(password)}@`);

/** The time limit for a whole request, in ms; that for its headers is shorter. */
const REQUEST_MS = 30_000;

let server: RedisServer;
let stack: TestStack;
let session: SessionBody;
/** Answers to connections that `beforeAll` opens. The API closes them after 10 s, while the other tests run. */
let slow: Record<'unended' | 'silent', Promise<{ readonly answer: string; readonly ms: number }>>;
const answers: string[] = [];
const others: AppProcess[] = [];

beforeAll(async () => {
  server = await startRedis();
  const redis = new Redis(server.url);
  await redis.config('SET', 'requirepass', SECRETS['the Redis password']);
  redis.disconnect();
  const url = authorized(server.url, SECRETS['the Redis password']);
  stack = await new TestStack(url, { LOG_LEVEL: 'trace', RATE_LIMIT: '1000', OTEL_TRACES_EXPORTER: 'console' }).start({});
  session = await stack.create('ada');
  slow = { unended: timed(raw(HEAD)), silent: timed(raw()) };
});

afterAll(async () => {
  await stack?.stop();
  for (const app of others) app.kill('SIGKILL');
  await server?.stop();
});

const base = () => stack.apiUrls[0]!;

/** Calls the API, and records the text of an error. */
async function send(path: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(base() + path, init);
  const text = await answer.text();
  if (!answer.ok) answers.push(`${JSON.stringify([...answer.headers])} ${text}`);
  return answer.status;
}

/** Sends bytes unchanged, and reads until the API closes the connection. */
function raw(...parts: string[]): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(new URL(base()).port), '127.0.0.1', () => {
      for (const part of parts) socket.write(part);
    });
    socket.on('data', (chunk) => {
      text += chunk;
    });
    // The API closed the connection while the test still wrote; what it sent before that counts.
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

/** Measures how long a connection lasts, in ms. */
async function timed(connection: Promise<string>): Promise<{ answer: string; ms: number }> {
  const from = performance.now();
  const answer = await connection;
  return { answer, ms: performance.now() - from };
}

function expectProblem(answer: string, status: number): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toMatch(/content-type: application\/problem\+json/i);
  expect(head).toMatch(/connection: close/i);
  expect(JSON.parse(body)).toMatchObject({ status, code: 'invalid-request' });
}

const HEAD = `POST /v1/sessions HTTP/1.1\r\nhost: sandman\r\nx-api-key: ${SECRETS.key}\r\n`;
const call = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'x-api-key': SECRETS.key, 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('what is too large or no HTTP', () => {
  it.each([
    ['headers of more than 16 KB', `${HEAD}x: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    ['an address of more than 16 KB', `GET /v1/sessions?cursor=${'x'.repeat(17_000)} HTTP/1.1\r\nhost: sandman\r\n\r\n`, 431],
    ['no HTTP', `${SECRETS.key}\r\n\r\n`, 400],
    ['two lengths', `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400],
    ['a length and chunks', `${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`, 400],
    ['a line break in a header', `${HEAD}x: a\rb\r\n\r\n`, 400],
  ])('%s: a problem, and the connection is closed', async (_, bytes, status) => {
    const answer = await raw(bytes);
    answers.push(answer);
    expectProblem(answer, status);
  });

  it('a uuid of 5,000 characters', async () => {
    expect(await send(`/v1/sessions/${'a'.repeat(5_000)}`, { headers: { 'x-api-key': SECRETS.key } })).toBe(400);
  });

  it('a cursor of 5,000 characters', async () => {
    expect(await send(`/v1/sessions?cursor=${'a'.repeat(5_000)}`, { headers: { 'x-api-key': SECRETS.key } })).toBe(400);
  });

  it('a body in chunks is measured as it comes', async () => {
    const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`;
    const answer = await raw(`${HEAD}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`, ...Array(17).fill(chunk));
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('payload-too-large');
  });
});

describe('JSON that is meant to harm', () => {
  it.each([
    ['__proto__', '{"userId": "eve", "__proto__": {"admin": true}}'],
    ['constructor', '{"userId": "eve", "constructor": {"prototype": {"admin": true}}}'],
    ['__proto__ in a policy', '{"userId": "eve", "policy": {"__proto__": {"sleepAfter": "1s", "deleteAfter": "1s"}}}'],
    ['a policy called __proto__', '{"userId": "eve", "policy": "__proto__"}'],
    ['a policy called constructor', '{"userId": "eve", "policy": "constructor"}'],
  ])('%s is invalid', async (_, body) => {
    expect(await send('/v1/sessions', call(body))).toBe(400);
  });

  it.each([
    ['a message', `{"message": ${'['.repeat(400_000)}${']'.repeat(400_000)}}`, 'chat'],
    ['an activity', `{"at": ${'['.repeat(400_000)}${']'.repeat(400_000)}}`, 'activity'],
  ])('%s that is nested 400,000 deep is invalid', async (_, body, kind) => {
    expect(await send(`/v1/sessions/${session.uuid}/${kind}`, call(body))).toBe(400);
  });
});

describe('secrets and messages are in no log, trace, metric or error', () => {
  const chat = (init: Partial<RequestInit> = {}) =>
    send(`/v1/sessions/${session.uuid}/chat`, { ...call({ message: SECRETS['a chat message'] }), ...init });

  it('keys right and wrong, wherever they are', async () => {
    const wrong = SECRETS['a wrong key'];
    for (const key of [SECRETS.key, wrong]) {
      expect(await send(`/v1/policies?api_key=${key}`)).toBe(401);
      expect(await send(`/v1/nowhere?key=${key}`, { headers: { 'x-api-key': SECRETS.key } })).toBe(404);
      expect(await send(`/v1/sessions?limit=${key}`, { headers: { 'x-api-key': SECRETS.key } })).toBe(400);
      expect(await send('/v1/policies', { headers: { authorization: `Basic ${btoa(`${key}:`)}` } })).toBe(401);
      expect(await send('/v1/policies', { headers: { authorization: key } })).toBe(401);
      expect(await send('/v1/policies', { headers: { cookie: `key=${key}` } })).toBe(401);
      expect(await send('/v1/sessions', call({ userId: 'ada', key }))).toBe(400);
      expect(await send('/v1/sessions', call({ userId: 5, apiKey: { key } }))).toBe(400);
      expect(await send('/v1/sessions', call(`{"userId": "${key}`))).toBe(400);
      expect(await send('/v1/sessions', call({ key }, { 'x-api-key': wrong }))).toBe(401);
      answers.push(await raw(`GET /v1/policies HTTP/1.1\r\nx-api-key: ${key}\r\nno header\r\n\r\n`));
    }
    expect(await send('/v1/policies', { headers: { 'x-api-key': wrong } })).toBe(401);
    expect(await send('/v1/policies', { headers: { authorization: `Bearer ${wrong}` } })).toBe(401);
  });

  it('messages that arrive, and messages that do not', async () => {
    expect(await chat()).toBe(200);
    expect(await chat({ body: `{"message": "${SECRETS['a chat message']}` })).toBe(400);
    expect(await chat({ body: JSON.stringify({ text: SECRETS['a chat message'] }) })).toBe(400);
    expect(await chat({ body: SECRETS['a chat message'], headers: { 'x-api-key': SECRETS.key, 'content-type': 'text/plain' } })).toBe(400);
    for (const fault of [{ status: 500 }, { status: 401 }, { status: 429, retryAfter: '1' }, { cut: 'before' }]) {
      await stack.fault({ call: 'chat', times: 1, fault });
      expect(await chat()).toBeGreaterThanOrEqual(400);
    }
    await stack.fault({ call: 'chat', times: 1, fault: { cut: 'after' } });
    await chat().catch(() => {});
  });

  it('a session-manager that fails and refuses', async () => {
    for (const fault of [{ status: 500 }, { status: 401 }, { cut: 'before' }]) {
      await stack.fault({ call: 'create', times: 1, fault });
      expect(await send('/v1/sessions', call({ userId: 'ada' }))).toBe(502);
    }
    for (const fault of [{ status: 503 }, { status: 500 }, { cut: 'before' }, { cut: 'after' }]) {
      await stack.fault({ call: 'sleep', times: 1, fault });
    }
    await stack.call('POST', `/v1/sessions/${session.uuid}/sleep`);
    await stack.until(session.uuid, 'sleeping', 20_000);
    const refusal = await stack.fault({ call: 'wake', fault: { status: 401 } });
    const { body } = await stack.call('POST', `/v1/sessions/${session.uuid}/wake`);
    const problem = await waitFor('a wake is refused', async () => (await stack.call('GET', `/v1/sessions/${body.uuid}`)).body.problem);
    answers.push(JSON.stringify(problem));
    await stack.sim('DELETE', `/sim/faults/${refusal.id}`);
  });

  const dashboard = async (redisUrl: string) => {
    const port = await freePort();
    const app = startApp('dashboard', {
      REDIS_URL: redisUrl,
      KEY_PREFIX: stack.prefix,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'trace',
      DASHBOARD_PORT: `${port}`,
      DASHBOARD_USER: 'admin',
      DASHBOARD_PASSWORD: SECRETS['the dashboard’s password'],
    });
    others.push(app);
    const url = `http://127.0.0.1:${port}`;
    await waitFor('the dashboard is up', async () => (await fetch(`${url}/healthz`).catch(() => null))?.ok, 30_000);
    return url;
  };
  it('the dashboard’s login, right and wrong', async () => {
    const url = await dashboard(authorized(server.url, SECRETS['the Redis password']));
    const { status, headers } = await formLogin(url, 'admin', SECRETS['the dashboard’s password']);
    expect(status).toBe(303);
    expect((await fetch(`${url}/queues`, { headers })).status).toBe(200);
    answers.push(JSON.stringify(headers));
    const wrong = await formLogin(url, 'admin', SECRETS['a wrong dashboard password']);
    expect(wrong.status).toBe(401);
    answers.push(wrong.body);
    for (const path of [`/queues?password=${SECRETS['the dashboard’s password']}`, '/api/live', '/api/trend?span=x']) {
      answers.push(await (await fetch(url + path)).text(), await (await fetch(url + path.replace('/live', '/no'), { headers })).text());
    }
  });

  it('a wrong Redis password', { timeout: 90_000 }, async () => {
    const url = authorized(server.url, SECRETS['a wrong Redis password']);
    const board = await dashboard(url);
    answers.push(await (await fetch(`${board}/readyz`)).text());
    const { headers } = await formLogin(board, 'admin', SECRETS['the dashboard’s password']);
    answers.push(await (await fetch(`${board}/api/trend`, { headers })).text());
    const common = {
      REDIS_URL: url,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'trace',
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: SECRETS['the session-manager’s key'],
    };
    const [apiPort, workerPort] = [await freePort(), await freePort()];
    const apps = [
      startApp('api', { ...common, PORT: `${apiPort}`, API_KEYS: SECRETS.key }),
      startApp('worker', { ...common, METRICS_PORT: `${workerPort}` }),
    ];
    others.push(...apps);
    for (const app of others.slice(-3)) {
      await waitFor('the password is refused', () => /WRONGPASS|NOAUTH/.test(app.stdout() + app.stderr()), 30_000);
    }
    for (const path of ['/v1/sessions', '/v1/sessions/a', '/readyz', '/metrics']) {
      const answer = await waitFor('the API answers', () =>
        fetch(`http://127.0.0.1:${apiPort}${path}`, { headers: { 'x-api-key': SECRETS.key } }).catch(() => null),
      );
      if (path !== '/metrics') expect(answer.status, path).toBe(503);
      answers.push(await answer.text());
    }
    // A worker that may not log in either does not listen yet, or answers that it is not ready.
    answers.push(await fetch(`http://127.0.0.1:${workerPort}/readyz`).then((answer) => answer.text(), String));
  });

  it('and none of it was written anywhere', async () => {
    // Includes what the API logs when it closes these connections.
    await Promise.all(Object.values(slow));
    const metrics = await Promise.all(
      [base(), ...stack.workers.map((worker) => (worker as AppProcess & { ops: string }).ops)].map(async (url) =>
        (await fetch(`${url}/metrics`)).text(),
      ),
    );
    const written = [...stack.apis, ...stack.workers, ...others].map((app) => app.stdout() + app.stderr());
    for (const text of written) expect(text).not.toBe('');
    expect(written.join()).toMatch(/name: 'POST \/v1\/sessions\/:uuid\/chat'/);
    for (const text of [...written, ...metrics, ...answers]) expectNoSecret(text);
  });
});

describe('what is too slow', () => {
  it('headers that do not come to an end are cut off', async () => {
    const { answer, ms } = await slow.unended;
    expectProblem(answer, 408);
    expect(ms).toBeLessThan(REQUEST_MS);
  });

  it('a connection that says nothing is cut off', async () => {
    const { answer, ms } = await slow.silent;
    expectProblem(answer, 408);
    expect(ms).toBeLessThan(REQUEST_MS);
  });
});
