import { connect, type Socket } from 'node:net';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { API_KEY, type SessionBody, TestStack } from '../stack.ts';

const CONNECTIONS = 3_000;
const FLOOD_MS = 4_000;
const HEAP_MB = 256;
/** The heap, plus what Node itself, its sockets and their buffers use. */
const RESIDENT_BYTES = (HEAP_MB + 350) * 1_048_576;

let redis: FoundRedis;
let stack: TestStack;
let session: SessionBody;

beforeAll(async () => {
  redis = await redisForTests();
});

afterAll(() => redis?.stop());

// Each test has processes of its own, so that one test's load on an API's heap does not affect the next.
beforeEach(async () => {
  stack = await new TestStack(redis.url, { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` }).start({});
  session = await stack.create('ada');
});

afterEach(() => stack?.stop());

/**
 * Sends a request over and over on many connections, each as soon as it has an answer.
 *
 * @returns how often each kind of answer came: its status, its content type, and whether it has `Retry-After`; errors by message
 */
function flood(request: string): Promise<Map<string, number>> {
  const port = Number(new URL(stack.apiUrls[0]!).port);
  const kinds = new Map<string, number>();
  const count = (kind: string) => kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const until = performance.now() + FLOOD_MS;
  const one = () =>
    new Promise<void>((resolve) => {
      let head = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(request));
      socket.setEncoding('latin1');
      socket.on('data', (text) => {
        head += text;
        const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
        const end = head.indexOf('\r\n\r\n');
        if (end < 0 || head.length < end + 4 + Number(length)) return;
        const retryAfter = /\r\nretry-after: \d+/i.test(head) ? ', Retry-After' : '';
        count(`${head.slice(9, 12)} ${/\r\ncontent-type: ([^;\r]+)/i.exec(head)?.[1]}${retryAfter}`);
        head = '';
        if (performance.now() < until) socket.write(request);
        else socket.end();
      });
      socket.on('error', ({ message }) => count(message));
      socket.on('close', () => {
        if (head !== '') count('half an answer');
        resolve();
      });
    });
  return Promise.all(Array.from({ length: CONNECTIONS }, one)).then(() => kinds);
}

async function resident(): Promise<number> {
  const text = await (await fetch(`${stack.apiUrls[0]}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]);
}

const ping = (body: string) =>
  [
    `POST /v1/sessions/${session.uuid}/activity HTTP/1.1`,
    'host: sandman',
    'x-api-key: test-api-key-0123456789',
    'content-type: application/json',
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');

/** Sends a ping every 20 ms until `isOver` returns true. Returns the statuses that came back. */
async function pings(isOver: () => boolean): Promise<Set<number>> {
  const statuses = new Set<number>();
  const all: Promise<unknown>[] = [];
  while (!isOver()) {
    all.push(stack.call('POST', `/v1/sessions/${session.uuid}/activity`).then(({ status }) => statuses.add(status)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(all);
  return statuses;
}

it('callers without a key, many and slow or few and fast, keep no ping out and stop no heartbeat', async () => {
  const port = Number(new URL(stack.apiUrls[0]!).port);
  const sockets = new Set<Socket>();
  let over = false;
  /** Keeps a connection open: sends `first` at once and `next` every 100 ms. */
  const keep = (first: string, next: string) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(first));
    const timer = setInterval(() => socket.write(next), 100);
    sockets.add(socket);
    socket.resume().on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      sockets.delete(socket);
      if (!over) setTimeout(keep, 500, first, next);
    });
  };
  const drip = 'POST /v1/activity HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  for (let i = 0; i < 500; i++) keep(drip, '1\r\n \r\n');
  // 220 kB per second.
  const flood = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(800);
  keep(flood, flood);
  const until = performance.now() + FLOOD_MS;
  const pinging = pings(() => performance.now() > until);
  const ready = new Set<number>();
  while (performance.now() < until) ready.add((await fetch(`${stack.apiUrls[0]}/readyz`)).status);
  const taken = await pinging;
  over = true;
  for (const socket of sockets) socket.destroy();
  expect(taken).toEqual(new Set([202]));
  expect(ready).toEqual(new Set([200]));
  expect(stack.apis[0]!.stdout()).not.toContain('no API could take pings');
}, 60_000);

it('more chats than there is memory for, to a session-manager that hangs: the rest is told to come back, and pings are taken', async () => {
  const { id } = await stack.fault({ call: 'chat', fault: { hang: true } });
  const message = 'x'.repeat(1_000_000);
  const hungUp = new AbortController();
  const refused: Response[] = [];
  const chats = Array.from({ length: 300 }, async () => {
    const answer = await fetch(`${stack.apiUrls[0]}/v1/sessions/${session.uuid}/chat`, {
      method: 'POST',
      headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ message }),
      signal: hungUp.signal,
    });
    refused.push(answer);
  });
  const all = Promise.allSettled(chats);
  await waitFor('some are refused, and the rest waits', () => refused.length > 50, 30_000);
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
  expect(new Set(refused.map(({ headers }) => headers.get('retry-after')))).toEqual(new Set(['1']));
  // The burst keeps the process busy for a moment.
  await waitFor('pings are taken again', async () => (await stack.call('POST', `/v1/sessions/${session.uuid}/activity`)).status === 202);
  const until = performance.now() + 1_000;
  expect(await pings(() => performance.now() > until)).toEqual(new Set([202]));
  expect(await resident()).toBeLessThan(RESIDENT_BYTES);
  hungUp.abort();
  await all;
  await stack.sim('DELETE', `/sim/faults/${id}`);
  await stack.ping(session.uuid);
}, 60_000);

it('more pings than can be taken: the rest is told to come back, and the process lives on', async () => {
  let over = false;
  // Each request is as expensive as several small ones. This process could not send that many small ones.
  const flooding = flood(ping(`{}${' '.repeat(4_000)}`)).finally(() => {
    over = true;
  });
  const probes: number[] = [];
  const memory: number[] = [];
  while (!over) {
    probes.push((await fetch(`${stack.apiUrls[0]}/healthz`)).status);
    memory.push(await resident());
  }
  const kinds = await flooding;
  expect([...kinds.keys()].sort()).toEqual(['202 application/json', '503 application/problem+json, Retry-After']);
  expect(new Set(probes)).toEqual(new Set([200]));
  expect(Math.max(...memory)).toBeLessThan(RESIDENT_BYTES);
  await waitFor('pings are taken again', async () => (await stack.call('POST', `/v1/sessions/${session.uuid}/activity`)).status === 202);
  await stack.ping(session.uuid);
}, 60_000);
