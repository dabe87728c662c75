import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type FoundRedis, freePort, redisForTests, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExportedSpan, SPAN_KIND, SpanCollector } from '../collector.ts';
import { logLinesOf } from '../process-log.ts';
import { type LoggedCall, TestStack } from '../stack.ts';

const MESSAGE = 'the-pod-must-not-sleep-tonight';
const SECRETS = ['test-api-key-0123456789', 'test-session-manager-key', 'wrong-key-5d41402abc4b2a76', MESSAGE];

/** A stopping process must not take longer than this, in ms. An export waits 10 s for its collector. */
const CLOSED_MS = 9_000;

/** The time limit for a test that starts processes of its own, in ms: on a busy machine that takes long. */
const PATIENCE_MS = 150_000;

const exporting = (endpoint: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_BSP_SCHEDULE_DELAY: '50',
});

const LIVED = ['sleep', 'wake'];

/** Puts a session to sleep by hand, and wakes it with a ping. Returns its sleep and wake calls. */
async function sleepAndWake(stack: TestStack, userId: string): Promise<{ uuid: string; calls: LoggedCall[] }> {
  const { uuid } = await stack.create(userId);
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  await stack.ping(uuid);
  await stack.until(uuid, 'active');
  const calls = await stack.calls(uuid, ...LIVED);
  expect(calls.map(({ call }) => call)).toEqual(LIVED);
  return { uuid, calls };
}

/** Stops API and worker. Both must end in time, without an error, and with nothing on standard error. */
async function expectToStop(stack: TestStack): Promise<void> {
  const asked = performance.now();
  const apps = [...stack.apis, ...stack.workers];
  for (const app of apps) app.kill('SIGTERM');
  expect(await Promise.all(apps.map(({ exited }) => exited))).toEqual([0, 0]);
  expect(performance.now() - asked).toBeLessThan(CLOSED_MS);
  for (const app of apps) expect(app.stderr()).toBe('');
}

let redis: FoundRedis;
const collector = new SpanCollector();

beforeAll(async () => {
  redis = await redisForTests();
  await collector.start();
});

afterAll(async () => {
  collector.stop();
  await redis?.stop();
});

describe('where traces are collected', () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await new TestStack(redis.url, { ...exporting(collector.url), LOG_LEVEL: 'trace' }).start({});
  });

  afterAll(() => stack?.stop());

  /** Returns the trace that a call to the session-manager belongs to, once it has spans of all `kinds`. */
  async function traceOf({ traceparent }: LoggedCall, ...kinds: (keyof typeof SPAN_KIND)[]): Promise<ExportedSpan[]> {
    const traceId = /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(traceparent)?.[1] ?? expect.fail(`traceparent is ${traceparent}`);
    return await waitFor(`${kinds} of trace ${traceId} arrive`, () => {
      const spans = collector.trace(traceId);
      return kinds.every((kind) => spans.some((span) => span.kind === SPAN_KIND[kind])) ? spans : null;
    });
  }

  it('a ping that wakes is one trace: the request, the alarm, the worker and its call', async () => {
    const { uuid, calls } = await sleepAndWake(stack, 'ada');
    const [, wake] = calls;
    const spans = await traceOf(wake!, 'server', 'producer', 'consumer', 'client');
    const [server, producer, consumer, client] = (['server', 'producer', 'consumer', 'client'] as const).map((kind) => {
      const found = spans.filter((span) => span.kind === SPAN_KIND[kind]);
      expect(found, kind).toHaveLength(1);
      return found[0]!;
    });
    expect(server).toMatchObject({ service: 'sandman-api', name: 'POST /v1/sessions/:uuid/activity' });
    expect(producer).toMatchObject({ service: 'sandman-api', name: 'add wake.wake' });
    expect(consumer).toMatchObject({ service: 'sandman-worker', name: 'process wake' });
    expect(client).toMatchObject({ service: 'sandman-worker', name: 'POST' });
    expect(client!.attributes['url.full']).toMatch(new RegExp(`/session/${uuid}/wake$`));
    expect(server!.parentSpanId ?? '').toBe('');
    expect([producer, consumer, client].map((span) => span!.parentSpanId)).toEqual(
      [server, producer, consumer].map((span) => span!.spanId),
    );
    expect(wake!.traceparent).toBe(`00-${client!.traceId}-${client!.spanId}-01`);

    const about = { 'sandman.session': uuid, 'sandman.action': 'wake', 'sandman.cause': 'activity' };
    for (const span of [server, consumer]) expect(span!.attributes).toMatchObject(about);
    const line = { traceId: client!.traceId, session: uuid, action: 'wake', cause: 'activity' };
    expect(logLinesOf(stack.apis[0]!)).toContainEqual(expect.objectContaining({ ...line, msg: 'request accepted' }));
    expect(logLinesOf(stack.workers[0]!)).toContainEqual(expect.objectContaining({ ...line, outcome: 'done', msg: 'call ended' }));
  });

  it('an idle sleep is a trace of its own, which begins when its alarm rings', async () => {
    const { uuid } = await stack.create('grace', { sleepAfter: '300ms', deleteAfter: '1h' });
    await stack.until(uuid, 'sleeping');
    const create = await waitFor('the creation is exported', () =>
      collector.spans.find(({ name, attributes }) => name === 'POST /v1/sessions' && attributes['sandman.session'] === uuid),
    );
    const [sleep] = await stack.calls(uuid, 'sleep');
    const spans = await traceOf(sleep!, 'consumer', 'client');
    expect(spans.filter(({ parentSpanId }) => !parentSpanId)).toMatchObject([{ name: 'process sleep', service: 'sandman-worker' }]);
    expect(spans[0]!.traceId).not.toBe(create.traceId);
    const line = { traceId: spans[0]!.traceId, session: uuid, action: 'sleep', cause: 'idle' };
    expect(logLinesOf(stack.workers[0]!)).toContainEqual(expect.objectContaining({ ...line, msg: 'idle deadline passed' }));
    expect(logLinesOf(stack.workers[0]!)).toContainEqual(expect.objectContaining({ ...line, msg: 'call ended' }));
  });

  it('an alarm for later carries nothing of the trace it was set in', async () => {
    const { uuid } = await stack.create('lovelace');
    const client = new Redis(redis.url);
    const jobs = await client.keys(`*${stack.prefix}*:*-${uuid}-*`);
    const options = await Promise.all(jobs.map((key) => client.hget(key, 'opts')));
    client.disconnect();
    expect(jobs.map((key) => key.split(':').at(-2)).toSorted()).toEqual(['delete', 'sleep']);
    for (const text of options) expect(Object.keys(JSON.parse(text ?? '')).toSorted()).toEqual(['attempts', 'delay']);
  });

  it('a caller’s own trace goes on', async () => {
    const { uuid } = await stack.create('hopper');
    const [traceId, parentSpanId] = ['1'.repeat(32), '2'.repeat(16)];
    const headers = { traceparent: `00-${traceId}-${parentSpanId}-01` };
    // Long enough to arrive in several pieces. Each is read in the context of the socket, not of the request.
    await stack.call('POST', `/v1/sessions/${uuid}/chat`, { message: MESSAGE + 'x'.repeat(500_000) }, headers);
    const [chat] = await stack.calls(uuid, 'chat');
    const spans = await traceOf(chat!, 'server', 'client');
    const server = spans.find(({ kind }) => kind === SPAN_KIND.server);
    expect(server).toMatchObject({ traceId, parentSpanId, attributes: { 'http.response.status_code': 200, 'sandman.session': uuid } });
    expect(spans.find(({ kind }) => kind === SPAN_KIND.client)).toMatchObject({ parentSpanId: server!.spanId });
  });

  it('no key and no message is exported, and of an address only its route', async () => {
    const [key, , wrong] = SECRETS;
    const refused: [number, Promise<{ status: number }>][] = [
      [400, stack.call('GET', `/v1/sessions?limit=${key}`)],
      [404, stack.call('GET', `/v1/${key}`)],
      [404, stack.call('POST', '/v1/sessions/nobody/chat', { message: MESSAGE })],
      [400, stack.call('POST', '/v1/sessions/nobody/chat', `{"message": "${MESSAGE}`)],
      [202, stack.call('POST', '/v1/users/a-name-that-nobody-may-read/activity')],
      [401, stack.call('GET', '/v1/policies', undefined, { 'x-api-key': wrong! })],
    ];
    for (const [status, answer] of refused) expect((await answer).status).toBe(status);
    const { uuid } = await stack.create('last');
    await waitFor('all of it is exported', () => collector.spans.some((span) => span.attributes['sandman.session'] === uuid));
    const exported = collector.requests.map(({ body }) => body).join('\n');
    for (const secret of [...SECRETS, 'a-name-that-nobody-may-read']) expect(exported).not.toContain(secret);
    const ofRoutes = collector.spans.filter(({ kind }) => kind === SPAN_KIND.server);
    expect(new Set(ofRoutes.map(({ name }) => name))).toContain('POST /v1/users/:userId/activity');
    for (const { name, attributes } of ofRoutes) expect(`${attributes['http.request.method']} ${attributes['url.path']}`).toBe(name);
    const written = [...stack.apis, ...stack.workers].map((app) => app.stdout()).join('');
    for (const secret of [...SECRETS, 'a-name-that-nobody-may-read']) expect(written).not.toContain(secret);
  });

  it('nobody’s polls are exported, no figures, and no lines', async () => {
    // A stopping process also exports what it otherwise exports at intervals.
    await expectToStop(stack);
    const begun = new Set(collector.spans.filter(({ parentSpanId }) => !parentSpanId).map(({ name }) => name.replace(/ .*/, '')));
    expect([...begun].filter((name) => !['GET', 'POST', 'process'].includes(name))).toEqual([]);
    expect(new Set(collector.requests.map(({ path }) => path))).toEqual(new Set(['/v1/traces']));
  });
});

describe.concurrent.each([
  ['nothing asks for it', () => ({})],
  ['it is asked for and switched off', () => ({ ...exporting(collector.url), OTEL_SDK_DISABLED: 'true' })],
  ['no exporter is wanted', () => ({ ...exporting(collector.url), OTEL_TRACES_EXPORTER: 'none' })],
])('where %s', (_, env) => {
  it(
    'nothing is traced',
    async () => {
      const stack = await new TestStack(redis.url, env()).start({});
      try {
        const before = collector.requests.length;
        const { uuid, calls } = await sleepAndWake(stack, 'ada');
        expect(calls.map(({ traceparent }) => traceparent)).toEqual(['', '']);
        const written = [...stack.apis, ...stack.workers].flatMap(logLinesOf);
        expect(written).toContainEqual(expect.objectContaining({ session: uuid, action: 'wake', cause: 'activity', msg: 'call ended' }));
        expect(written.filter(({ traceId }) => traceId !== undefined)).toEqual([]);
        await expectToStop(stack);
        expect(collector.requests).toHaveLength(before);
      } finally {
        await stack.stop();
      }
    },
    PATIENCE_MS,
  );
});

describe.concurrent('where the collector of traces', () => {
  const hangs = createServer((socket) => socket.resume().on('error', () => {}));

  beforeAll(async () => {
    hangs.listen(0, '127.0.0.1');
    await once(hangs, 'listening');
  });

  afterAll(() => hangs.close());

  it(
    'is away, that is in the log, and all else goes on',
    async () => {
      const env = { ...exporting(`http://127.0.0.1:${await freePort()}`), OTEL_EXPORTER_OTLP_TIMEOUT: '200' };
      const stack = await new TestStack(redis.url, env).start({});
      try {
        await sleepAndWake(stack, 'ada');
        const complaint = await waitFor('it is told', () => logLinesOf(stack.apis[0]!).find(({ msg }) => msg === 'tracing'));
        expect(complaint).toMatchObject({ level: 40, reason: expect.stringMatching(/^Error: connect ECONNREFUSED [\d.:]+$/) });
        expect(complaint.traceId).toBeUndefined();
        await expectToStop(stack);
      } finally {
        await stack.stop();
      }
    },
    PATIENCE_MS,
  );

  it(
    'never answers, pings are answered all the same, and nobody who is told to stop waits for it',
    async () => {
      const stack = await new TestStack(redis.url, exporting(`http://127.0.0.1:${(hangs.address() as AddressInfo).port}`)).start({});
      try {
        await sleepAndWake(stack, 'ada');
        await expectToStop(stack);
      } finally {
        await stack.stop();
      }
    },
    PATIENCE_MS,
  );
});
