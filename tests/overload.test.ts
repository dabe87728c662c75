import { connect } from 'node:net';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStack, type View } from './stack.ts';

const CONNECTIONS = 3_000;
const FLOOD_MS = 4_000;
const HEAP_MB = 256;
/** The heap, and what Node itself, its sockets and their buffers take. */
const RESIDENT_BYTES = (HEAP_MB + 350) * 1_048_576;

let redis: FoundRedis;
let stack: TestStack;
let session: View;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url, { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` }).start({});
  session = await stack.create('ada');
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

/**
 * Sends this over and over by many connections, each as soon as it has an answer, as nobody should.
 *
 * @returns how often each kind of answer came: its status, and what else the head says
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

it('more pings than can be taken: the rest is told to come back, and the process lives on', async () => {
  let over = false;
  // Each as heavy as a few: so many small ones this process could not even send.
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
