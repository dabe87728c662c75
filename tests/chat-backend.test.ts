import {
  type AppProcess,
  type FaultProxy,
  type FoundRedis,
  freePort,
  redisForTests,
  startEntry,
  startFaultProxy,
  waitFor,
} from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY, type LoggedCall, type SessionBody, START_MS, TestStack } from './stack.ts';

const ENTRY = new URL('../examples/chat-backend/src/main.ts', import.meta.url);

let redis: FoundRedis;
let stack: TestStack;
/** The proxy between the backend and Sandman. */
let network: FaultProxy;
let backend: Backend;
const started: AppProcess[] = [];

interface Backend {
  readonly url: string;
  readonly process: AppProcess;
}

async function startBackend(): Promise<Backend> {
  const port = await freePort();
  const env = { SANDMAN_URL: `http://${network.host}:${network.port}`, SANDMAN_API_KEY: API_KEY, HOST: '127.0.0.1', PORT: `${port}` };
  const process = startEntry(ENTRY, env);
  started.push(process);
  await waitFor('the chat backend listens', () => process.stdout().includes(`:${port}`) || null, START_MS);
  return { url: `http://127.0.0.1:${port}`, process };
}

async function post(call: string, body: unknown, { url }: Backend = backend): Promise<{ status: number; body: string }> {
  const answer = await fetch(`${url}/chat/${call}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.text() };
}

async function start(userId: string, on?: Backend): Promise<string> {
  const { status, body } = await post('start', { userId }, on);
  expect(status, body).toBe(200);
  return JSON.parse(body).workspaceUrl;
}

async function sessionsOf(userId: string): Promise<(SessionBody & { workspaceUrl: string })[]> {
  const { body } = await stack.call<{ items: (SessionBody & { workspaceUrl: string })[] }>('GET', `/v1/sessions?userId=${userId}`);
  return body.items;
}

async function onlySession(userId: string): Promise<SessionBody & { workspaceUrl: string }> {
  const sessions = await sessionsOf(userId);
  expect(sessions).toHaveLength(1);
  return sessions[0]!;
}

/** Returns every create call that the session-manager has got, those in flight included. */
async function created(): Promise<LoggedCall[]> {
  const { items } = await stack.sim<{ items: LoggedCall[] }>('GET', '/sim/journal');
  return items.filter(({ call }) => call === 'create');
}

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
  network = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(stack.apiUrls[0]!).port) });
  backend = await startBackend();
});

afterAll(async () => {
  for (const process of started) process.kill('SIGKILL');
  await network?.close();
  await stack?.stop();
  await redis?.stop();
});

describe('the example chat backend', () => {
  it('starts a workspace, and the pod answers', async () => {
    const workspaceUrl = await start('ada');
    const session = await onlySession('ada');
    expect(session).toMatchObject({ status: 'active', workspaceUrl });
    expect(await post('message', { userId: 'ada', message: 'hello' })).toEqual({ status: 200, body: '{"reply":"hello"}' });
    const later = await onlySession('ada');
    expect(Date.parse(later.lastActivity)).toBeGreaterThan(Date.parse(session.lastActivity));
  });

  it('a message to a sleeping pod wakes it and is answered once', async () => {
    await start('ben');
    const { uuid } = await onlySession('ben');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    expect(await post('message', { userId: 'ben', message: 'again' })).toMatchObject({ status: 200, body: '{"reply":"again"}' });
    expect((await stack.calls(uuid)).map(({ call }) => call)).toEqual(['create', 'sleep', 'wake', 'chat']);
  });

  it('the answer streams through as the pod gives it', async () => {
    const body = JSON.stringify({ userId: 'streamer', message: { stream: { chunks: 3, intervalMs: 300 } } });
    const answer = await fetch(`${backend.url}/chat/message`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const arrivals: number[] = [];
    let text = '';
    for await (const chunk of answer.body!) {
      arrivals.push(performance.now());
      text += Buffer.from(chunk).toString();
    }
    expect(text).toBe('chunk 1\nchunk 2\nchunk 3\n');
    // The first chunk may be late on a busy machine, and come with the second. An answer that comes as a whole takes a few ms.
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(150);
  });

  it('a message without a start makes a workspace', async () => {
    expect(await post('message', { userId: 'hasty', message: 'hi' })).toMatchObject({ status: 200, body: '{"reply":"hi"}' });
    expect(await start('hasty')).toBe((await onlySession('hasty')).workspaceUrl);
  });

  it('logout deletes the pod; a message after it goes to a new one', async () => {
    const before = await start('dan');
    const { uuid } = await onlySession('dan');
    await stack.fault({ call: 'delete', uuid, times: 1, fault: { delayMs: 500 } });
    expect(await post('logout', { userId: 'dan' })).toEqual({ status: 200, body: '{"success":true}' });
    expect((await post('message', { userId: 'dan', message: 'I forgot something' })).status).toBe(200);
    await stack.until(uuid, 'deleted');
    expect((await stack.calls(uuid, 'delete')).length).toBe(1);
    expect((await onlySession('dan')).workspaceUrl).not.toBe(before);
    expect(await post('logout', { userId: 'nobody' })).toEqual({ status: 200, body: '{"success":true}' });
  });

  it('who starts twice, or many times at once, gets the same workspace', async () => {
    const before = (await created()).length;
    const urls = await Promise.all(Array.from({ length: 5 }, () => start('clicker')));
    expect(new Set([...urls, await start('clicker')]).size).toBe(1);
    expect(await created()).toHaveLength(before + 1);
    await onlySession('clicker');
  });

  it('two instances that start the same user at once agree, and one pod is left', async () => {
    const other = await startBackend();
    await stack.fault({ call: 'create', times: 1, fault: { delayMs: 500 } });
    const before = (await created()).length;
    const slow = start('twin');
    // On a busy machine it may have ended when it is seen.
    await waitFor('the first create is under way', async () => (await created()).length > before);
    const quick = await start('twin', other);
    expect(await slow).toBe(quick);
    await waitFor('the pod too many is gone', async () => (await sessionsOf('twin')).length === 1);
    expect((await onlySession('twin')).workspaceUrl).toBe(quick);
  });

  it('a restarted backend has forgotten nothing, and another one knows the same', async () => {
    const workspaceUrl = await start('loyal');
    const second = await startBackend();
    expect(await start('loyal', second)).toBe(workspaceUrl);
    second.process.kill('SIGTERM');
    expect(await second.process.exited).toBe(0);
    const restarted = await startBackend();
    expect(await post('message', { userId: 'loyal', message: 'hi' }, restarted)).toMatchObject({ status: 200 });
    expect((await onlySession('loyal')).workspaceUrl).toBe(workspaceUrl);
  });

  it('SIGTERM lets a running answer come to its end, and no longer', async () => {
    const leaving = await startBackend();
    const answer = post('message', { userId: 'last', message: { stream: { chunks: 4, intervalMs: 300 } } }, leaving);
    await waitFor('the pod answers', async () => {
      const [session] = await sessionsOf('last');
      return session && (await stack.calls(session.uuid, 'chat')).length === 1;
    });
    leaving.process.kill('SIGTERM');
    expect((await answer).body.trim().split('\n')).toHaveLength(4);
    const answered = performance.now();
    expect(await leaving.process.exited).toBe(0);
    expect(performance.now() - answered).toBeLessThan(2_000);
  });

  it('a pod that vanished without a word is replaced', async () => {
    const before = await start('unlucky');
    const { uuid } = await onlySession('unlucky');
    await stack.sim('DELETE', `/session/${uuid}`);
    const say = () => post('message', { userId: 'unlucky', message: 'hello?' });
    // A 404 ends a session only once a second one confirms it, 30 s after its creation at the earliest.
    expect(await say()).toMatchObject({ status: 502 });
    const answer = await waitFor('another takes its place', async () => ((await stack.status(uuid)) === 'deleted' ? say() : null), 60_000);
    expect(answer).toMatchObject({ status: 200, body: '{"reply":"hello?"}' });
    expect((await onlySession('unlucky')).workspaceUrl).not.toBe(before);
  }, 90_000);

  it.each([
    ['start', {}, 'userId'],
    ['start', { userId: '' }, 'userId'],
    ['start', { userId: 7 }, 'userId'],
    ['start', { userId: 'x'.repeat(256) }, 'userId'],
    ['start', '{"userId": "x\\ud800"}', 'userId'],
    ['start', '{"userId":', 'JSON'],
    ['message', { userId: 'ada' }, 'message'],
    ['message', { message: 'hello' }, 'userId'],
    ['logout', {}, 'userId'],
  ])('bad input is 400 and says what is wrong: %s %j', async (call, body, named) => {
    const answer = await post(call, body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).message).toContain(named);
  });

  it('a pod that fails is told as it is', async () => {
    await start('patient');
    const { uuid } = await onlySession('patient');
    await stack.fault({ call: 'chat', uuid, times: 1, fault: { cut: 'before' } });
    expect(await post('message', { userId: 'patient', message: 'hello' })).toMatchObject({ status: 502 });
    expect(await post('message', { userId: 'patient', message: 'hello' })).toMatchObject({ status: 200 });
  });

  it('while Sandman is away the answer is a 503 that says so; afterwards all is as before', async () => {
    const workspaceUrl = await start('waiter');
    await network.refuse();
    network.cut();
    for (const call of ['start', 'message', 'logout']) {
      const { status, body } = await post(call, { userId: 'waiter', message: 'hello' });
      expect(status).toBe(503);
      expect(JSON.parse(body).message).toContain('Sandman');
    }
    await network.normal();
    expect(await start('waiter')).toBe(workspaceUrl);
  });

  it.each([
    ['SANDMAN_URL', { SANDMAN_API_KEY: API_KEY }],
    ['SANDMAN_URL', { SANDMAN_URL: 'sandman:3000', SANDMAN_API_KEY: API_KEY }],
    ['SANDMAN_API_KEY', { SANDMAN_URL: 'http://127.0.0.1:3000' }],
    ['PORT', { SANDMAN_URL: 'http://127.0.0.1:3000', SANDMAN_API_KEY: API_KEY, PORT: 'http' }],
  ])('a bad %s is one line and exit code 2', async (variable, env) => {
    const process = startEntry(ENTRY, env as Record<string, string>);
    expect(await process.exited).toBe(2);
    expect(process.stderr().trim().split('\n')).toHaveLength(1);
    expect(process.stderr()).toContain(variable);
  });
});
