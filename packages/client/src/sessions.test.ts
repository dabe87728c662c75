import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SandmanClient } from './client.ts';
import { answerJson, answerProblem, startServer, type TestServer } from './server.fixture.ts';

const MADE = { uuid: 'made' };

describe('a create', () => {
  let server: TestServer;
  let client: SandmanClient;
  beforeEach(async () => {
    server = await startServer();
    client = new SandmanClient({ url: server.url, apiKey: 'test-key' });
  });
  afterEach(() => server.close());

  const keys = () => server.received.map(({ headers }) => headers['idempotency-key']);
  /** Answers with each of these in turn, then always with the last one. */
  const answerWith = (...answers: TestServer['answering'][]) => {
    server.answering = (received, answer) => answers[Math.min(server.received.length, answers.length) - 1]!(received, answer);
  };
  const made: TestServer['answering'] = (_, answer) => answerJson(answer, 201, MADE);
  const broken: TestServer['answering'] = (_, answer) => void answer.destroy();
  const refused =
    (status: number, headers = {}): TestServer['answering'] =>
    (_, answer) =>
      answerProblem(answer, status, 'some-code', headers);

  it('is repeated under its own key after a connection that broke, and after an answer that asks to wait', async () => {
    answerWith(broken, refused(503, { 'retry-after': '1' }), made);
    expect(await client.sessions.create({ userId: 'ada' })).toEqual(MADE);
    expect(server.received.map(({ body }) => body)).toEqual([{ userId: 'ada' }, { userId: 'ada' }, { userId: 'ada' }]);
    expect(keys()[0]).toMatch(/^[\da-f-]{36}$/);
    expect(new Set(keys()).size).toBe(1);
    expect(server.received[2]!.at - server.received[1]!.at).toBeGreaterThanOrEqual(990);
  });

  it('has a key of its own, or the caller’s', async () => {
    answerWith(made);
    await client.sessions.create({ userId: 'ada' });
    await client.sessions.create({ userId: 'ada' });
    await client.sessions.create({ userId: 'ada' }, { idempotencyKey: 'given' });
    expect(new Set(keys()).size).toBe(3);
    expect(keys()[2]).toBe('given');
  });

  it.each([502, 503, 504])('is tried three times against %i, and no more', async (status) => {
    answerWith(refused(status));
    await expect(client.sessions.create({ userId: 'ada' })).rejects.toMatchObject({ status });
    expect(keys()).toHaveLength(3);
  });

  it.each([400, 401, 409, 429, 500])('is not repeated after %i', async (status) => {
    answerWith(refused(status, { 'retry-after': '0' }));
    await expect(client.sessions.create({ userId: 'ada' })).rejects.toMatchObject({ status });
    expect(keys()).toHaveLength(1);
  });

  it('does not wait for longer than its time-out', async () => {
    answerWith(refused(503, { 'retry-after': '120' }));
    await expect(client.sessions.create({ userId: 'ada' })).rejects.toMatchObject({ status: 503, retryAfter: 120 });
    expect(keys()).toHaveLength(1);
  });
});

describe('a create that is not answered', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A `fetch` that never answers. */
  const silent = vi.fn<typeof fetch>(
    (_, init) => new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  beforeEach(() => {
    silent.mockClear();
  });
  const create = (timeout?: number) =>
    new SandmanClient({ url: 'http://sandman', apiKey: 'test-key', fetch: silent, timeout }).sessions.create({ userId: 'ada' });

  it('waits for longer than Sandman waits for the session-manager, is repeated, and ends within 90 s', async () => {
    const failed = expect(create()).rejects.toMatchObject({ code: 'timeout' });
    await vi.advanceTimersByTimeAsync(35_000);
    expect(silent).toHaveBeenCalledTimes(1);
    expect(silent.mock.calls[0]![1]!.signal!.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(silent).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(45_000);
    await failed;
    const keys = silent.mock.calls.map(([, init]) => new Headers(init?.headers).get('idempotency-key'));
    expect(new Set(keys).size).toBe(1);
  });

  it('is bounded by the time-out that the client was given', async () => {
    const failed = expect(create(200)).rejects.toMatchObject({ code: 'timeout', detail: 'no answer within 200 ms' });
    await vi.advanceTimersByTimeAsync(200);
    await failed;
    expect(silent).toHaveBeenCalledTimes(1);
  });
});

describe('what protects from a delete', () => {
  let server: TestServer;
  let client: SandmanClient;
  beforeEach(async () => {
    server = await startServer((_, answer) => answerJson(answer, 202, { ...MADE, items: [MADE] }));
    client = new SandmanClient({ url: server.url, apiKey: 'test-key' });
  });
  afterEach(() => server.close());

  it('a keep names its duration or its end, and is ended with a DELETE', async () => {
    await client.sessions.keep('a b', { for: '30d' });
    await client.sessions.keep('one', { until: new Date('2027-01-01T00:00:00Z') });
    // JSON would write a malformed Date as null.
    await client.sessions.keep('one', { until: new Date('soon') });
    await client.sessions.endKeep('one');
    expect(server.received.map(({ method, path, body }) => ({ method, path, body }))).toEqual([
      { method: 'POST', path: '/v1/sessions/a%20b/keep', body: { for: '30d' } },
      { method: 'POST', path: '/v1/sessions/one/keep', body: { until: '2027-01-01T00:00:00.000Z' } },
      { method: 'POST', path: '/v1/sessions/one/keep', body: { until: 'Invalid Date' } },
      { method: 'DELETE', path: '/v1/sessions/one/keep', body: null },
    ]);
  });

  it.each([
    [{}, ''],
    [{ grace: '1h' }, '?grace=1h'],
    [{ grace: 90_000 }, '?grace=90000'],
    [{ force: true }, '?force=true'],
    [{ grace: '30d', force: true }, '?grace=30d&force=true'],
    [{ grace: '1h & more' }, '?grace=1h+%26+more'],
    [{ grace: undefined, force: undefined }, ''],
  ])('a delete with %j sends the query "%s"', async (options, query) => {
    await client.sessions.delete('one', options);
    expect(server.received.map(({ method, path }) => `${method} ${path}`)).toEqual([`DELETE /v1/sessions/one${query}`]);
  });

  it('a logout sends its grace, and without one nothing', async () => {
    expect(await client.logout('ada', { grace: '1h' })).toEqual([MADE]);
    await client.logout('ada');
    await client.logout('ada', { grace: undefined });
    expect(server.received.map(({ path, body }) => [path, body])).toEqual([
      ['/v1/users/ada/logout', { grace: '1h' }],
      ['/v1/users/ada/logout', null],
      ['/v1/users/ada/logout', null],
    ]);
  });

  it('a delete of a kept session throws `kept`, which is not transient', async () => {
    server.answering = (_, answer) => answerProblem(answer, 409, 'kept');
    await expect(client.sessions.delete('one')).rejects.toMatchObject({ status: 409, code: 'kept', transient: false });
  });
});

it.each(['.', '..'])('the id %s is refused before any call: in a path it would be lost', async (id) => {
  const fetch = vi.fn<typeof globalThis.fetch>();
  const client = new SandmanClient({ url: 'http://sandman/below/', apiKey: 'test-key', fetch });
  const { sessions } = client;
  const calls = [
    () => sessions.adopt(id, { userId: 'ada' }),
    () => sessions.get(id),
    () => sessions.setPolicy(id, 'balanced'),
    () => sessions.activity(id),
    () => sessions.sleep(id),
    () => sessions.wake(id),
    () => sessions.wake(id, { wait: '1s' }),
    () => sessions.hold(id, { for: '1h' }),
    () => sessions.endHold(id),
    () => sessions.keep(id, { for: '1d' }),
    () => sessions.endKeep(id),
    () => sessions.delete(id),
    () => sessions.delete(id, { grace: '1h' }),
    () => sessions.history(id),
    () => client.chat(id, 'hello'),
    () => client.logout(id),
    () => client.logout(id, { grace: '1h' }),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow(TypeError);
  const dropped: string[] = [];
  const sender = new SandmanClient({ url: 'http://sandman', apiKey: 'test-key', fetch, onDrop: ({ reason }) => dropped.push(reason) });
  sender.userActivity(id);
  sender.activity(id);
  expect(dropped).toEqual(['invalid', 'invalid']);
  expect(fetch).not.toHaveBeenCalled();
});
