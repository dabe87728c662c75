import { type AddressInfo, connect, type Socket } from 'node:net';
import { waitFor } from '@sandman/sandbox';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerError, answerUnreadable } from './problems.ts';
import { boundUnauthenticated } from './unauthenticated.ts';

const KEY = 'x-api-key: right';
const LARGE = 'x'.repeat(20_000_000);

let app: FastifyInstance;
let pinged: number;
let finish: () => void;

beforeEach(async () => {
  pinged = 0;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  app = Fastify({ clientErrorHandler: answerUnreadable, forceCloseConnections: true });
  app.setErrorHandler<Error>((error, request, reply) => answerError(error as never, request, reply));
  boundUnauthenticated(app, (headers) => headers['x-api-key'] === 'right');
  app.post('/v1/ping', () => {
    pinged += 1;
    return {};
  });
  app.get('/v1/slow', () => finished.then(() => ({})));
  app.get('/healthz', { config: { withoutKey: 'small' } }, () => ({ status: 'ok' }));
  app.get('/large', { config: { withoutKey: 'large' } }, () => LARGE);
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  finish();
  for (const socket of dialled.splice(0)) socket.destroy();
  await app.close();
});

const dialled: Socket[] = [];

/** Opens a raw connection and records what arrives on it. */
function dial() {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  dialled.push(socket);
  const seen = { text: '', closed: false };
  socket.setEncoding('latin1').on('data', (text) => {
    seen.text += text;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    seen.closed = true;
  });
  return { socket, seen };
}

const connections = () => new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));
const statuses = ({ text }: { text: string }) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
const get = (path: string, ...headers: string[]) => `GET ${path} HTTP/1.1\r\n${['host: a', ...headers].join('\r\n')}\r\n\r\n`;

test.each([
  ['/v1/ping', '401', 'unauthorized'],
  ['/v1/nothing', '401', 'unauthorized'],
  ['/v1', '401', 'unauthorized'],
  ['/v1x', '404', 'not-found'],
  ['/', '404', 'not-found'],
])('%s without a key is %s, before its body has come, and the end of the connection', async (path, status, code) => {
  const { socket, seen } = dial();
  socket.write(`POST ${path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx`);
  await waitFor('it is closed', () => seen.closed);
  expect(statuses(seen)).toEqual([status]);
  expect(seen.text).toMatch(/\r\nconnection: close\r\n/i);
  expect(seen.text).toContain(`"code":"${code}"`);
});

test('what follows a refused request on its connection is not even looked at', async () => {
  const { socket, seen } = dial();
  const ping = `POST /v1/ping HTTP/1.1\r\nhost: a\r\n${KEY}\r\ncontent-length: 0\r\n\r\n`;
  socket.write(get('/').repeat(500) + get('/healthz').repeat(10));
  await waitFor('it is closed', () => seen.closed);
  expect(statuses(seen)).toEqual(['404']);
  const other = dial();
  other.socket.write(ping);
  await waitFor('a caller with a key is served', () => statuses(other.seen).length === 1);
  expect([statuses(other.seen), pinged]).toEqual([['200'], 1]);
});

test('a caller without a key has one request at a time; with a key as many as it likes', async () => {
  const { socket, seen } = dial();
  socket.write(get('/healthz').repeat(2));
  await waitFor('it is closed', () => seen.closed);
  const keyed = dial();
  keyed.socket.write(get('/healthz', KEY).repeat(5));
  await waitFor('all are answered', () => statuses(keyed.seen).length === 5);
});

test('an unknown path is not found with a key, too, and its connection goes on', async () => {
  const { socket, seen } = dial();
  socket.write(get('/v1/nothing', KEY) + get('/nothing', KEY) + get('/healthz', KEY));
  await waitFor('all are answered', () => statuses(seen).length === 3);
  expect(statuses(seen)).toEqual(['404', '404', '200']);
});

test('of more than 2,000 connections without a key those are closed that had time to send one; those with a key stay', async () => {
  const keyed = dial();
  keyed.socket.write(get('/healthz', KEY));
  await waitFor('it is answered', () => statuses(keyed.seen).length === 1);
  const others: ReturnType<typeof dial>[] = [];
  // Opens at most as many at the same time as the kernel queues for a server that has not accepted them yet.
  while (others.length < 2_100) {
    others.push(...Array.from({ length: 300 }, dial));
    await waitFor('all are connected', async () => (await connections()) === others.length + 1);
  }
  const from = performance.now();
  expect(others.filter(({ seen }) => seen.closed)).toEqual([]);
  await waitFor('they had time', () => performance.now() > from + 3_500);
  const last = dial();
  await waitFor('no more than 2,000 are open', () => others.filter(({ seen }) => seen.closed).length >= 100);
  expect(others.slice(0, 100).every(({ seen }) => seen.closed)).toBe(true);
  for (const { socket, seen } of [keyed, last]) {
    const before = statuses(seen).length;
    socket.write(get('/healthz', KEY));
    await waitFor('it is answered', () => statuses(seen).length === before + 1);
  }
});

test('large answers that are not read: eight at once, and none keeps a small one waiting', async () => {
  const slow = Array.from({ length: 8 }, dial);
  for (const { socket } of slow) {
    socket.pause();
    socket.write(get('/large'));
  }
  await waitFor('the ninth is refused', async () => (await fetch(`${app.listeningOrigin}/large`)).status === 503);
  expect((await fetch(`${app.listeningOrigin}/healthz`)).status).toBe(200);
  for (const { socket } of slow) socket.destroy();
  await waitFor('one is served again', async () => {
    const answer = await fetch(`${app.listeningOrigin}/large`);
    return answer.status === 200 && (await answer.text()).length === LARGE.length;
  });
});

test('of more than 500 refusals a second the rest takes turns', async () => {
  const from = performance.now();
  const burst = await Promise.all(
    Array.from({ length: 900 }, () => fetch(`${app.listeningOrigin}/nothing`).then(async (answer) => [answer.status, await answer.text()])),
  );
  const took = performance.now() - from;
  expect(new Set(burst.map(([status]) => status))).toEqual(new Set([404]));
  // The last 400 refusals wait at 500 per second: 800 ms, or longer if other tests caused refusals just before.
  expect(took).toBeGreaterThan(750);
});

test('an unreadable request writes nothing where another answer is due', async () => {
  const { socket, seen } = dial();
  socket.write(`${get('/v1/slow', KEY)}rubbish\r\n\r\n`);
  await waitFor('it is closed', () => seen.closed);
  expect(seen.text).toBe('');
});

test.each([
  ['rubbish', 'rubbish\r\n\r\n', '400'],
  ['a body that breaks off', `POST /v1/ping HTTP/1.1\r\nhost: a\r\n${KEY}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`, '400'],
  ['headers of 20 KB', get('/healthz', `x: ${'x'.repeat(20_000)}`), '431'],
])('%s is answered, and closed', async (_, text, status) => {
  const { socket, seen } = dial();
  socket.write(text);
  await waitFor('it is closed', () => seen.closed);
  expect(statuses(seen)).toEqual([status]);
});
