import { request } from 'node:http';
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { shedOverload } from './overload.ts';

const MEMORY_BYTES = 10_000_000;

let app: FastifyInstance;
let finish: () => void;
let kept: number;
let refused: number;
/** How many requests were accepted. */
let arrived: number;

beforeEach(async () => {
  kept = 0;
  arrived = 0;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  app = Fastify({ forceCloseConnections: true });
  await shedOverload(app, MEMORY_BYTES);
  app.post('/ping', () => finished);
  refused = 0;
  const count = () => {
    refused += 1;
  };
  app.post('/chat', { config: { waits: true, refused: count } }, () => finished);
  app.addHook('preParsing', async (request) => {
    arrived += 1;
    if (request.url !== '/ping') request.keptBytes = 1_000_000;
  });
  app.post('/kept', { config: { waits: true } }, () => {
    kept += 1;
    return finished;
  });
  app.post('/lasting', { config: { waits: true } }, (incoming) => {
    incoming.work = finished;
    kept += 1;
    return finished;
  });
  app.get('/healthz', { config: { withoutKey: 'small' } }, () => ({}));
});
afterEach(async () => {
  finish();
  await app.close();
});

// `async`, because light-my-request sends an injected request only once its promise is awaited.
const post = async (url: string, more: InjectOptions = {}) => app.inject({ method: 'POST', url, ...more });
const ping = () => post('/ping');
const many = <T>(n: number, call: () => T) => Array.from({ length: n }, call);

test('requests beyond 1,000 at once are refused, and none is once they are answered', async () => {
  const taken = many(1_000, () => ping());
  const refused = await ping();
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

test('a process that is full is stuck only when it has taken nothing for 5 s', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const taken = many(1_000, () => ping());
    await vi.waitFor(() => expect(app.isShedding()).toBe(true));
    expect(app.isStuck()).toBe(false);
    vi.advanceTimersByTime(6_000);
    expect(app.isStuck()).toBe(true);
    finish();
    await Promise.all(taken);
    expect(app.isStuck()).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test('a body weighs by its size', async () => {
  const payload = { text: 'x'.repeat(99_000) };
  const taken = many(10, () => post('/ping', { payload }));
  // Ten requests that weigh 97 each are 970.
  const light = many(30, () => ping());
  expect((await ping()).statusCode).toBe(503);
  taken.push(...light);
  finish();
  for (const { statusCode } of await Promise.all(taken)) expect(statusCode).toBe(200);
});

test('a body with a large Content-Length keeps no other request out', async () => {
  const taken = many(3, () => post('/ping', { payload: { text: 'x'.repeat(1_000_000) } }));
  const pinged = ping();
  expect(app.isShedding()).toBe(false);
  finish();
  for (const { statusCode } of [await pinged, ...(await Promise.all(taken))]) expect(statusCode).toBe(200);
});

test('what waits for others keeps no ping out', async () => {
  const waiting = many(60, () => post('/chat'));
  const pinged = ping();
  expect(app.isShedding()).toBe(false);
  finish();
  for (const { statusCode } of [await pinged, ...(await Promise.all(waiting))]) expect(statusCode).toBe(200);
});

const connections = () => new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));
const statuses = async (answers: readonly Promise<{ statusCode: number }>[]) =>
  (await Promise.all(answers)).map(({ statusCode }) => statusCode);
const megabyte = { payload: { text: 'x'.repeat(1_000_000) } };

test('long bodies and waiting callers have the memory that there is; more are told to come back, and pings are taken', async () => {
  // Each body is read in pieces that are joined, which takes 2 MB, and 64 KB because the route waits.
  const taken = many(4, () => post('/chat', megabyte));
  const answer = await post('/chat', megabyte);
  expect(answer.statusCode).toBe(503);
  expect(answer.headers['retry-after']).toBe('1');
  expect(refused).toBe(1);
  // A waiting request without a body needs only 64 KB.
  taken.push(post('/chat'), ping());
  expect(app.isShedding()).toBe(false);
  finish();
  expect(await statuses(taken)).toEqual([200, 200, 200, 200, 200, 200]);
  expect((await post('/chat', megabyte)).statusCode).toBe(200);
});

test('once a body is read only what is kept of it counts', async () => {
  const read: ReturnType<typeof post>[] = [];
  for (let count = 1; count <= 8; count++) {
    read.push(post('/kept', megabyte));
    await vi.waitFor(() => expect(kept).toBe(count));
  }
  // Over 8 of 10 MB are kept, so the 2 MB that another body needs to be read are not free.
  expect((await post('/kept', megabyte)).statusCode).toBe(503);
  finish();
  expect(new Set(await statuses(read))).toEqual(new Set([200]));
});

test('bodies that do not say how long they are have half of the memory until they are read', async () => {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const drips = many(2, () => {
    const drip = request(`${app.listeningOrigin}/ping`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    drip.on('error', () => {}).write('{');
    return drip;
  });
  // Each body could be 1 MB long, so it is charged 2 MB. Two fit into the half for bodies without a stated length.
  const chunked = { headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/json' }, payload: '{}' };
  await vi.waitFor(() => expect(arrived).toBe(2));
  expect((await post('/ping', chunked)).statusCode).toBe(503);
  const taken = [post('/ping', megabyte), ping()];
  finish();
  expect(await statuses(taken)).toEqual([200, 200]);
  for (const drip of drips) drip.end('}');
  await vi.waitFor(async () => expect((await post('/ping', chunked)).statusCode).toBe(200), 5_000);
});

test('what goes on though its caller has gone holds its memory until it ends', async () => {
  await app.listen({ host: '127.0.0.1', port: 0 });
  for (let count = 1; count <= 8; count++) {
    const caller = request(`${app.listeningOrigin}/lasting`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    caller.on('error', () => {}).end(JSON.stringify(megabyte.payload));
    await vi.waitFor(() => expect(kept).toBe(count));
    caller.destroy();
  }
  await vi.waitFor(async () => expect(await connections()).toBe(0));
  expect((await post('/lasting', megabyte)).statusCode).toBe(503);
  finish();
  await vi.waitFor(async () => expect((await post('/lasting', megabyte)).statusCode).toBe(200), 5_000);
});

test('a ping that is refused because its body finds no memory counts as shedding', async () => {
  const taken = many(4, () => post('/chat', megabyte));
  expect((await post('/ping', megabyte)).statusCode).toBe(503);
  expect(app.isShedding()).toBe(true);
  finish();
  expect(await statuses(taken)).toEqual([200, 200, 200, 200]);
});
