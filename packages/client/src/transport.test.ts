import { freePort, waitFor } from '@sandman/sandbox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SandmanClient } from './client.ts';
import { answerJson, answerProblem, startServer, type TestServer } from './server.fixture.ts';

let server: TestServer;
/** A client with the default time-out. */
let client: SandmanClient;
/** A client whose calls time out after 200 ms. */
let hasty: SandmanClient;

beforeEach(async () => {
  server = await startServer();
  client = new SandmanClient({ url: server.url, apiKey: 'test-key' });
  hasty = new SandmanClient({ url: server.url, apiKey: 'test-key', timeout: 200 });
});

afterEach(() => server.close());

describe('what goes wrong', () => {
  it('has the code and the detail of Sandman’s answer', async () => {
    server.answering = (_, answer) => answerProblem(answer, 410, 'session-deleted');
    await expect(client.sessions.get('one')).rejects.toMatchObject({
      name: 'SandmanError',
      message: 'GET /v1/sessions/one: because of session-deleted (session-deleted)',
      code: 'session-deleted',
      detail: 'because of session-deleted',
      status: 410,
      retryAfter: null,
      transient: false,
    });
  });

  it.each([
    ['7', 7],
    [new Date(Date.now() + 9_500).toUTCString(), 9],
    ['soon', null],
  ])('with how long to wait: %s', async (header, seconds) => {
    server.answering = (_, answer) => answerProblem(answer, 503, 'not-ready', { 'retry-after': header });
    const error = await client.savings().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'not-ready', status: 503, transient: true });
    if (seconds === null) expect(error.retryAfter).toBeNull();
    else expect(Math.abs(error.retryAfter - seconds)).toBeLessThanOrEqual(1);
  });

  it('also where another service answers', async () => {
    server.answering = (_, answer) => void answer.writeHead(404, { 'content-type': 'text/html' }).end('<h1>nginx</h1>');
    await expect(client.policies()).rejects.toMatchObject({ code: 'unexpected-answer', status: 404, detail: 'answered 404' });
    server.answering = (_, answer) => void answer.end('<h1>welcome</h1>');
    await expect(client.policies()).rejects.toMatchObject({ code: 'unexpected-answer', status: 200, detail: 'the answer is not JSON' });
  });

  it('a time-out, before the headers and after them', async () => {
    server.answering = () => {};
    await expect(hasty.policies()).rejects.toMatchObject({
      code: 'timeout',
      status: null,
      transient: true,
      detail: 'no answer within 200 ms',
    });
    server.answering = (_, answer) => void answer.write('{');
    await expect(hasty.policies()).rejects.toMatchObject({ code: 'timeout' });
  });

  it('a refused connection, and one that breaks, with their cause', async () => {
    const unreachable = new SandmanClient({ url: `http://127.0.0.1:${await freePort()}`, apiKey: 'test-key' });
    const error = await unreachable.policies().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'unreachable', status: null, transient: true });
    expect(error.detail).toContain('ECONNREFUSED');
    expect(error.cause).toBeInstanceOf(TypeError);
    server.answering = (_, answer) => void answer.destroy();
    await expect(client.policies()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('a redirect is not followed: it would take the key along', async () => {
    const other = await startServer();
    server.answering = (_, answer) => void answer.writeHead(307, { location: other.url }).end();
    await expect(client.policies()).rejects.toMatchObject({ code: 'unreachable' });
    expect(other.received).toEqual([]);
    await other.close();
  });
});

it('what a caller gives is encoded in paths and queries', async () => {
  server.answering = (_, answer) => answerJson(answer, 200, { items: [], nextCursor: null });
  await client.logout('a/b?c#d ü');
  await client.sessions.get('../policies');
  await client.sessions.list({ userId: 'a&status=b', limit: 5 });
  await client.sessions.wake('one', { wait: '1s&x=y' });
  expect(server.received.map(({ path }) => path)).toEqual([
    '/v1/users/a%2Fb%3Fc%23d%20%C3%BC/logout',
    '/v1/sessions/..%2Fpolicies',
    '/v1/sessions?userId=a%26status%3Db&limit=5',
    '/v1/sessions/one/wake?wait=1s%26x%3Dy',
  ]);
});

it('a wake that waits may take longer than other calls', async () => {
  server.answering = (_, answer) => void setTimeout(() => answerJson(answer, 200, { status: 'active' }), 400);
  await expect(hasty.sessions.wake('one', { wait: '10s' })).resolves.toEqual({ status: 'active' });
  await expect(hasty.sessions.wake('one')).rejects.toMatchObject({ code: 'timeout' });
});

describe('chat', () => {
  it('gives the answer as it comes, however long that takes', async () => {
    let answerOf: Parameters<TestServer['answering']>[1] | undefined;
    server.answering = (_, answer) => {
      answerOf = answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.write('one ');
    };
    const answer = await client.chat('one', { text: 'hello' }, { timeout: 200 });
    expect(server.received[0]).toMatchObject({ method: 'POST', path: '/v1/sessions/one/chat', body: { message: { text: 'hello' } } });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('one ');
    await new Promise((resolve) => setTimeout(resolve, 400));
    answerOf!.end('two');
    expect((await reader.read()).value).toBe('two');
    expect((await reader.read()).done).toBe(true);
  });

  it('tells the pod’s own errors from Sandman’s', async () => {
    server.answering = (_, answer) => answerJson(answer, 422, { error: 'too rude' });
    const answer = await client.chat('one', 'hello');
    expect([answer.status, await answer.json()]).toEqual([422, { error: 'too rude' }]);
    server.answering = (_, refusal) => answerProblem(refusal, 504, 'session-manager-timeout');
    await expect(client.chat('one', 'hello')).rejects.toMatchObject({ code: 'session-manager-timeout', status: 504 });
  });

  it('is bounded until the headers come, and ends with its signal at any time', async () => {
    server.answering = () => {};
    await expect(client.chat('one', 'hello', { timeout: 100 })).rejects.toMatchObject({ code: 'timeout' });
    const before = new AbortController();
    const refused = client.chat('one', 'hello', { signal: before.signal });
    before.abort(new Error('enough'));
    await expect(refused).rejects.toThrow('enough');
    let ended = false;
    server.answering = (_, answer) => {
      answer.on('close', () => (ended = true));
      answer.write('one ');
    };
    const after = new AbortController();
    const answer = await client.chat('one', 'hello', { signal: after.signal });
    after.abort();
    await expect(answer.text()).rejects.toThrow();
    await waitFor('the server sees it', () => ended);
  });

  it('a message that is no JSON is the caller’s mistake', async () => {
    await expect(client.chat('one', 1n)).rejects.toThrow(TypeError);
    expect(server.received).toEqual([]);
  });
});
