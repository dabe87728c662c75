import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Action, Outcome } from '@sandman/core';
import { describe, expect, it } from 'vitest';
import { SessionManagerClient, type SessionManagerOptions } from './client.ts';

const KEY = 'a-secret-key';
const HELLO = Buffer.from('{"message":"hello"}');
/** The time-out in tests that wait for it, in ms. */
const TIMEOUT = 300;
/** The time-out in all other tests, in ms: long, because a busy machine is slow. */
const PATIENCE = 10_000;

/** A session-manager for one test, and a client of it. */
class Place implements AsyncDisposable {
  /** Answers each request; a test sets it. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  readonly seen: IncomingMessage[] = [];
  readonly server = createServer((request, response) => {
    this.seen.push(request);
    this.answer(request, response);
  });
  client!: SessionManagerClient;

  private readonly timeout: number;

  private constructor(timeout: number) {
    this.timeout = timeout;
  }

  static async start(timeout = PATIENCE): Promise<Place> {
    const place = new Place(timeout);
    await new Promise<void>((resolve) => place.server.listen(0, '127.0.0.1', resolve));
    place.client = place.clientWith({});
    return place;
  }

  clientWith(options: Partial<SessionManagerOptions>): SessionManagerClient {
    const { port } = this.server.address() as AddressInfo;
    return new SessionManagerClient({
      url: `http://127.0.0.1:${port}/base`,
      apiKey: KEY,
      timeout: this.timeout,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const status =
  (code: number, headers: Record<string, string> = {}, body = '{}') =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(code, headers).end(body);
  };

describe('an answer is sorted', () => {
  it.each<[Action, number, Outcome]>([
    ['sleep', 200, { kind: 'done' }],
    ['sleep', 204, { kind: 'done' }],
    ['sleep', 409, { kind: 'done' }],
    ['wake', 409, { kind: 'done' }],
    ['delete', 404, { kind: 'gone' }],
    ['wake', 404, { kind: 'gone' }],
    ['status', 404, { kind: 'gone' }],
    ['delete', 409, { kind: 'permanent', error: 'HTTP 409' }],
    ['sleep', 401, { kind: 'permanent', error: 'HTTP 401' }],
    ['sleep', 302, { kind: 'permanent', error: 'HTTP 302' }],
    ['sleep', 500, { kind: 'transient', sent: true, error: 'HTTP 500' }],
    ['sleep', 502, { kind: 'unknown', error: 'HTTP 502' }],
    ['delete', 504, { kind: 'unknown', error: 'HTTP 504' }],
    ['status', 502, { kind: 'transient', sent: true, error: 'HTTP 502' }],
    ['status', 409, { kind: 'permanent', error: 'HTTP 409' }],
    ['status', 504, { kind: 'transient', sent: true, error: 'HTTP 504' }],
    ['status', 200, { kind: 'transient', sent: true, error: 'status answered no replicas' }],
  ])('%s, HTTP %i', async (action, code, outcome) => {
    await using on = await Place.start();
    on.answer = status(code, {}, code === 204 ? '' : '{}');
    expect(await on.client.call(action, 'a1b2c3d4', 'key')).toEqual(outcome);
  });

  it('keeps to Retry-After', async () => {
    await using on = await Place.start();
    on.answer = status(429, { 'retry-after': '7' });
    expect(await on.client.call('wake', 'a', 'key')).toEqual({ kind: 'transient', sent: false, error: 'HTTP 429', retryAfter: 7_000 });
    on.answer = status(503, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() });
    const outcome = await on.client.call('wake', 'a', 'key');
    expect(outcome).toMatchObject({ kind: 'transient', sent: true });
    expect((outcome as { retryAfter: number }).retryAfter).toBeGreaterThan(50_000);
  });

  it('reads the replicas', async () => {
    await using on = await Place.start();
    on.answer = status(200, {}, '{"replicas": 0}');
    expect(await on.client.call('status', 'a', 'key')).toEqual({ kind: 'done', pod: 'asleep' });
    on.answer = status(200, {}, '{"replicas": 2, "more": true}');
    expect(await on.client.call('status', 'a', 'key')).toEqual({ kind: 'done', pod: 'awake' });
  });
});

it.each(['', 'null', '[]', '<html>', '{"replicas": "1"}', '{"replicas": -1}'])('a status of %j says nothing', async (body) => {
  await using on = await Place.start();
  on.answer = status(200, {}, body);
  expect(await on.client.call('status', 'a', 'key')).toEqual({ kind: 'transient', sent: true, error: 'status answered no replicas' });
});

/** Starts a server that accepts connections and never sends anything, and a client that uses TLS. */
async function mute(on: Place) {
  const taken: Socket[] = [];
  const server = createTcpServer((socket) => taken.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = on.clientWith({ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      for (const socket of taken) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Concurrent, because they wait for time-outs.
describe.concurrent('a call without an answer', () => {
  it('timed out: whether it took effect is unknown', async () => {
    await using on = await Place.start(TIMEOUT);
    on.answer = () => {};
    expect(await on.client.call('sleep', 'a', 'key')).toEqual({ kind: 'unknown', error: `timed out after ${TIMEOUT} ms` });
    expect(await on.client.call('status', 'a', 'key')).toMatchObject({ kind: 'transient' });
  });

  it('cut after it was sent: likewise, and it is not sent again', async () => {
    await using on = await Place.start();
    on.answer = (request) => request.socket.destroy();
    expect(await on.client.call('sleep', 'a', 'key')).toMatchObject({ kind: 'unknown' });
    expect(on.seen).toHaveLength(1);
  });

  it('refused: nothing was sent', async () => {
    await using on = await Place.start();
    await new Promise((resolve) => on.server.close(resolve));
    expect(await on.client.call('sleep', 'a', 'key')).toEqual({ kind: 'transient', sent: false, error: 'connection refused' });
  });

  it('never connected: nothing was sent', async () => {
    await using on = await Place.start(TIMEOUT);
    await using stuck = await mute(on);
    expect(await stuck.client.call('delete', 'a', 'key')).toMatchObject({ kind: 'transient', sent: false });
  });

  it('a process that is told to stop waits for no connection', async () => {
    await using on = await Place.start(60_000);
    await using stuck = await mute(on);
    const waiting = stuck.client.call('delete', 'a', 'key');
    stuck.client.drain();
    expect(await waiting).toMatchObject({ kind: 'transient', sent: false });
    expect(await stuck.client.call('delete', 'b', 'key')).toMatchObject({ kind: 'transient', sent: false });
  });

  it('reset on a socket that was kept alive: it may have landed, and it is not sent again', async () => {
    await using on = await Place.start();
    on.answer = status(200);
    await on.client.call('wake', 'a', 'key');
    await new Promise((resolve) => setTimeout(resolve, 10));
    on.answer = (request) => request.socket.resetAndDestroy();
    expect(await on.client.call('delete', 'a', 'key')).toEqual({ kind: 'unknown', error: 'connection broken' });
    expect(on.seen).toHaveLength(2);
    expect(on.seen[1]?.socket === on.seen[0]?.socket).toBe(true);
  });

  it('an answer without end is cut, and may have landed', async ({ expect }) => {
    await using on = await Place.start(TIMEOUT);
    let cut = false;
    on.answer = (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!cut && response.write('x'.repeat(10_000)));
      };
      response.on('drain', more).on('close', () => {
        cut = true;
      });
      more();
    };
    expect(await on.client.call('sleep', 'a', 'key')).toMatchObject({ kind: 'unknown' });
    await expect.poll(() => cut).toBe(true);
  });

  it('a key that no header may carry is for the operator to mend, and is not shown', async () => {
    await using on = await Place.start();
    const broken = on.clientWith({ apiKey: `${KEY}\n` });
    const outcome = await broken.call('sleep', 'a', 'key');
    expect(outcome.kind).toBe('permanent');
    expect(JSON.stringify(outcome)).not.toContain(KEY);
    expect(on.seen).toHaveLength(0);
    await broken.close();
  });

  it('a body that never ends is bounded too', async () => {
    await using on = await Place.start(TIMEOUT);
    on.answer = (_, response) => {
      response.writeHead(200).write('{');
    };
    expect(await on.client.call('sleep', 'a', 'key')).toMatchObject({ kind: 'unknown' });
  });
});

describe.concurrent('a connection', () => {
  it('is open before the call is made: nothing is waited for then', async ({ expect }) => {
    await using on = await Place.start();
    on.answer = status(200);
    const connection = (await on.client.open())!;
    expect(await new Promise((resolve) => on.server.getConnections((_, count) => resolve(count)))).toBe(1);
    expect(await connection.call('wake', 'a', 'key')).toEqual({ kind: 'done' });
    expect(on.seen).toHaveLength(1);
  });

  it('serves one call after the other, also one that was not used', async ({ expect }) => {
    await using on = await Place.start();
    on.answer = status(200);
    (await on.client.open())!.release();
    for (const uuid of ['a', 'b', 'c']) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      await on.client.call('wake', uuid, 'key');
    }
    expect(new Set(on.seen.map(({ socket }) => socket)).size).toBe(1);
  });

  it('as many are open as there are calls at once', async ({ expect }) => {
    await using on = await Place.start();
    const waiting: ServerResponse[] = [];
    on.answer = (_, response) => void waiting.push(response);
    const calls = Array.from({ length: 30 }, (_, i) => on.client.call('sleep', `a${i}`, 'key'));
    await expect.poll(() => waiting.length).toBe(30);
    for (const response of waiting) response.end('{}');
    expect(new Set((await Promise.all(calls)).map(({ kind }) => kind))).toEqual(new Set(['done']));
  });

  it('that the session-manager closes after each answer is replaced by another', async ({ expect }) => {
    await using on = await Place.start();
    on.answer = (request, response) => response.end('{}', () => request.socket.end());
    const kinds = [];
    for (let i = 0; i < 20; i++) kinds.push((await on.client.call('sleep', 'a', 'key')).kind);
    // If the close of a connection arrives late, a call may be made on it and get no answer.
    expect(kinds.filter((kind) => kind === 'done').length).toBeGreaterThan(15);
  });

  it('that takes nearly as long as the time-out is waited for, and the call has all of its time', async ({ expect }) => {
    await using on = await Place.start(2 * TIMEOUT);
    on.answer = (_, response) => setTimeout(() => response.end('{}'), TIMEOUT);
    const proxy = createTcpServer((from) => {
      setTimeout(() => {
        const to = connect((on.server.address() as AddressInfo).port, '127.0.0.1');
        from.pipe(to).pipe(from);
        for (const socket of [from, to]) socket.on('error', () => {});
      }, TIMEOUT);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const slow = on.clientWith({ url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
    expect(await slow.call('wake', 'a', 'key')).toMatchObject({ kind: 'unknown' });
    await slow.close();
    await new Promise((resolve) => proxy.close(resolve));
  });
});

it.concurrent('sends what the session-manager expects', async () => {
  await using on = await Place.start();
  on.answer = status(200);
  await on.client.call('delete', 'a/../b', 'my-idempotency-key');
  expect(on.seen[0]).toMatchObject({ method: 'DELETE', url: '/base/session/a%2F..%2Fb' });
  expect(on.seen[0]?.headers).toMatchObject({ 'x-api-key': KEY, 'idempotency-key': 'my-idempotency-key' });
  expect(on.seen[0]?.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});

describe.concurrent('create', () => {
  it('answers the pod', async () => {
    await using on = await Place.start();
    on.answer = status(201, {}, '{"uuid": "a1b2c3d4", "workspace_url": "https://a.example"}');
    expect(await on.client.create('ada', 'key-1')).toEqual({ uuid: 'a1b2c3d4', workspaceUrl: 'https://a.example' });
    expect(on.seen[0]?.headers['idempotency-key']).toBe('key-1');
  });

  it.each([
    ['HTTP 500', status(500), 'session-manager-error'],
    ['no uuid', status(200), 'session-manager-error'],
    ['a uuid that is a path', status(200, {}, '{"uuid": "../../x"}'), 'session-manager-error'],
    ['no JSON', status(200, {}, '<html>'), 'session-manager-error'],
    ['nothing at all', () => {}, 'session-manager-timeout'],
  ])('fails on %s', async (_, how, code) => {
    await using on = await Place.start(code === 'session-manager-timeout' ? TIMEOUT : PATIENCE);
    on.answer = how as Place['answer'];
    const failure = await on.client.create('ada').catch((error) => error);
    expect(failure).toMatchObject({ code });
    expect(failure.message).not.toContain(KEY);
  });
});

it.concurrent('each call is observed once, with what came of it and how long it took', async () => {
  await using on = await Place.start(TIMEOUT);
  const results: [string, number | string, number][] = [];
  const observed = on.clientWith({ onResult: (...result) => results.push(result) });
  on.answer = status(409);
  await observed.call('sleep', 'a', 'key');
  on.answer = () => {};
  await observed.call('wake', 'a', 'key');
  on.answer = (request) => request.socket.destroy();
  await observed.create('ada').catch(() => {});
  await observed.close();
  expect(results.map(([call, result]) => [call, result])).toEqual([
    ['sleep', 409],
    ['wake', 'timeout'],
    ['create', 'error'],
  ]);
  expect(results[1]?.[2]).toBeGreaterThanOrEqual(TIMEOUT / 1_000 - 0.01);
  expect(results[1]?.[2]).toBeLessThan(5);
});

describe.concurrent('chat', () => {
  it('the caller may give it up, before the headers and after', async ({ expect }) => {
    await using on = await Place.start();
    const early = new AbortController();
    on.answer = () => early.abort();
    await expect(on.client.chat('a', HELLO, { signal: early.signal })).rejects.toMatchObject({ code: 'session-manager-error' });

    const late = new AbortController();
    on.answer = (_, response) => {
      response.writeHead(200).write('one');
    };
    const { body } = await on.client.chat('a', HELLO, { signal: late.signal });
    late.abort();
    await expect(body.toArray()).rejects.toThrow();
  });

  it('an answer that is given up, or breaks before it is read, does not end the process', async ({ expect }) => {
    await using on = await Place.start();
    on.answer = (_, response) => response.writeHead(503).end('not yet');
    const { body } = await on.client.chat('a', HELLO);
    body.destroy();
    on.answer = (request, response) => {
      response.writeHead(200).write('one');
      setTimeout(() => request.socket.destroy(), 10);
    };
    const broken = await on.client.chat('a', HELLO);
    // An `error` event without a listener would fail the test run.
    await Promise.all([body, broken.body].map((one) => expect.poll(() => one.closed).toBe(true)));
  });

  it('as many at once as there are callers, and none keeps a lifecycle call waiting', async ({ expect }) => {
    await using on = await Place.start(TIMEOUT);
    on.answer = (request, response) => {
      if (request.url?.endsWith('/chat')) response.writeHead(200).write('one');
      else response.end('{}');
    };
    const chats = await Promise.all(Array.from({ length: 12 }, (_, i) => on.client.chat(`a${i}`, HELLO)));
    expect(await on.client.call('sleep', 'a', 'key')).toEqual({ kind: 'done' });
    await Promise.all(chats.map(({ body }) => expect(body.toArray()).rejects.toThrow()));
  });

  it('a session-manager that cannot be reached', async ({ expect }) => {
    await using on = await Place.start();
    await new Promise((resolve) => on.server.close(resolve));
    await expect(on.client.chat('a', HELLO)).rejects.toMatchObject({ code: 'session-manager-error' });
  });

  it('a gap longer than the time-out breaks the stream', async ({ expect }) => {
    await using on = await Place.start(TIMEOUT);
    on.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('one');
    };
    const { body, headers } = await on.client.chat('a', HELLO);
    expect(headers['content-type']).toBe('text/plain');
    await expect(body.toArray()).rejects.toThrow();
  });

  it('no headers in time', async ({ expect }) => {
    await using on = await Place.start(TIMEOUT);
    on.answer = () => {};
    await expect(on.client.chat('a', HELLO)).rejects.toMatchObject({ code: 'session-manager-timeout' });
  });
});
