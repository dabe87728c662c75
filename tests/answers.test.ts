import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type RedisServer, startRedis, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { API_KEY, TestStack } from './stack.ts';

let server: RedisServer;
let redis: Redis;
let sessionManager: Server;
let stack: TestStack;
/** How pods answer a chat. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let received: Buffer;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  sessionManager = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (!request.url?.endsWith('/chat')) return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"replicas":1}');
    received = Buffer.concat(chunks);
    answer(request, response);
  });
  await new Promise<void>((resolve) => sessionManager.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(sessionManager.address() as AddressInfo).port}`;
  stack = await new TestStack(server.url, { SESSION_MANAGER_URL: url, CHAT_TIMEOUT: '1s', CHAT_BODY_LIMIT: '2MB' }).start({});
  await stack.call('PUT', '/v1/sessions/pod', { userId: 'ada' });
});

afterAll(async () => {
  redis?.disconnect();
  sessionManager?.closeAllConnections();
  sessionManager?.close();
  await stack?.stop();
  await server?.stop();
});

const chat = (body: string | Uint8Array<ArrayBuffer> = '{"message":"hello"}', headers: Record<string, string> = {}) =>
  fetch(`${stack.apiUrls[0]}/v1/sessions/pod/chat`, {
    method: 'POST',
    headers: { 'x-api-key': API_KEY, 'content-type': 'application/json', ...headers },
    body,
    redirect: 'manual',
  });

it('a pod’s answer keeps what says how to treat it, and carries the security headers of every other answer', async () => {
  const own = {
    'content-type': 'text/csv',
    'content-disposition': 'attachment; filename="x.csv"',
    'content-language': 'de',
    'cache-control': 'private, max-age=5',
    location: 'https://elsewhere.example/x',
    'x-accel-buffering': 'no',
  };
  answer = (_, response) => response.writeHead(201, { ...own, 'set-cookie': 'a=b', 'access-control-allow-origin': '*' }).end('a,b');
  const { status, headers } = await chat();
  expect(status).toBe(201);
  for (const [name, value] of Object.entries(own)) expect(headers.get(name), name).toBe(value);
  expect([headers.get('set-cookie'), headers.get('access-control-allow-origin')]).toEqual([null, null]);
  const other = await fetch(`${stack.apiUrls[0]}/v1/policies`, { headers: { 'x-api-key': API_KEY } });
  for (const name of ['content-security-policy', 'strict-transport-security', 'x-content-type-options']) {
    expect(headers.get(name), name).toBe(other.headers.get(name));
    expect(headers.get(name), name).not.toBeNull();
  }
  // An answer without caching headers is not cached.
  answer = (_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('x');
  expect((await chat()).headers.get('cache-control')).toBe('no-store');
});

it.each([600, 999])('a pod that answers %d is a session-manager that failed', async (status) => {
  answer = (_, response) => response.writeHead(status).end('x');
  const refused = await chat();
  expect(refused.status).toBe(502);
  expect(await refused.json()).toMatchObject({ code: 'session-manager-error' });
});

it('a message is passed on as it came, byte for byte', async () => {
  answer = (_, response) => response.end('x');
  const body = ' {"message" : {"text":"\\u00e4 é 💤", "n": 1.50, "big": 12345678901234567890}}';
  expect((await chat(`\uFEFF${body}`)).status).toBe(200);
  expect(received.toString()).toBe(body);
  expect((await chat(Buffer.from([...Buffer.from('{"message":"'), 0xff, 0xfe, ...Buffer.from('"}')]))).status).toBe(400);
  expect((await chat('{"message":1,"more":2}')).status).toBe(400);
});

it('CHAT_BODY_LIMIT bounds a message, and CHAT_TIMEOUT its answer', async () => {
  answer = (_, response) => response.end('x');
  expect((await chat(JSON.stringify({ message: 'x'.repeat(2_000_000) }))).status).toBe(200);
  const long = await chat(JSON.stringify({ message: 'x'.repeat(2_200_000) }));
  expect([long.status, ((await long.json()) as { code: string }).code]).toEqual([413, 'payload-too-large']);
  answer = () => {};
  const from = performance.now();
  const late = await chat();
  expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([504, 'session-manager-timeout']);
  expect(performance.now() - from).toBeLessThan(15_000);
});

it('a caller who is still sending a message that is too long gets the answer, and the connection goes on', async () => {
  const length = 2_200_000;
  const header = `POST /v1/sessions/pod/chat HTTP/1.1\r\nhost: a\r\nx-api-key: ${API_KEY}\r\ncontent-type: application/json\r\n`;
  let text = '';
  const socket = connect(Number(new URL(stack.apiUrls[0]!).port), '127.0.0.1');
  socket.on('error', (error) => {
    text += error.message;
  });
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.write(`${header}content-length: ${length}\r\n\r\n`);
  await waitFor('the answer', () => text.includes('"payload-too-large"'));
  for (let sent = 0; sent < length; sent += 1_000) socket.write('x'.repeat(1_000));
  socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  await waitFor('the next answer', () => text.includes('HTTP/1.1 200 '));
  expect(text).toMatch(/^HTTP\/1.1 413 /);
  socket.destroy();
});

it('what cannot be read behind a streaming answer writes nothing into it', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('the beginning');
  };
  let text = '';
  let closed = false;
  const body = '{"message":"hello"}';
  const socket = connect(Number(new URL(stack.apiUrls[0]!).port), '127.0.0.1', () =>
    socket.write(
      `POST /v1/sessions/pod/chat HTTP/1.1\r\nhost: a\r\nx-api-key: ${API_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ),
  );
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  await waitFor('the answer has begun', () => text.includes('the beginning'));
  socket.write('rubbish\r\n\r\n');
  await waitFor('the connection is closed', () => closed);
  expect(text).not.toContain('HTTP/1.1 400');
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

const ping = () => stack.call<{ code: string }>('POST', '/v1/sessions/pod/activity');

it('a Redis that is busy with a script, or refuses commands, is 503, and served again after', async () => {
  await redis.config('SET', 'busy-reply-threshold', '10');
  const endless = redis.duplicate();
  const running = endless.eval('while true do end', 0).catch(() => {});
  await waitFor('Redis says that it is busy', async () => (await redis.ping().catch((error: Error) => error.message)).startsWith('BUSY'));
  const busy = await ping();
  expect([busy.status, busy.body.code, busy.headers.get('retry-after')]).toEqual([503, 'not-ready', '1']);
  await redis.script('KILL');
  await running;
  endless.disconnect();
  await waitFor('pings are taken again', async () => (await ping()).status === 202);

  await redis.acl('SETUSER', 'default', '-hset', '-evalsha');
  const barred = await ping();
  expect([barred.status, barred.body.code]).toEqual([503, 'not-ready']);
  await waitFor('the log says so', () => stack.apis[0]!.stdout().includes('Redis refuses a command'));
  await redis.acl('SETUSER', 'default', '+@all');
  await waitFor('pings are taken again', async () => (await ping()).status === 202);
});
