import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SessionBody, TestStack } from './stack.ts';

interface Change {
  readonly uuid: string;
  readonly at: string;
  readonly from: string | null;
  readonly to: string;
  readonly cause: string;
}

interface Saved {
  readonly awakeSeconds: number;
  readonly asleepSeconds: number;
  readonly alwaysOnSeconds: number;
  readonly savedFraction: number;
  readonly sleeps: number;
  readonly wakes: number;
  readonly regrets: number;
  readonly cost: { readonly awake: number; readonly saved: number };
}

const PRICE = 3.6;
/** A stopping process must close within this time, in ms; it is well below the time that it is allowed. */
const CLOSED_MS = 10_000;
const POLICY = { sleepAfter: '500ms', deleteAfter: '1h' };

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url, { SHARDS: '3', POD_PRICE_PER_HOUR: `${PRICE}` }).start({ apis: 2 });
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

/** Reads an event stream as a browser's EventSource does, until it is stopped. */
class Listener {
  readonly events: { readonly id: string; readonly event: string; readonly data: Change }[] = [];
  readonly #stop = new AbortController();
  readonly open: Promise<Response>;
  #text = '';

  constructor(lastEventId?: string) {
    this.open = fetch(`${stack.apiUrls[0]}/v1/events`, {
      headers: { 'x-api-key': 'test-api-key-0123456789', ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
      signal: this.#stop.signal,
    });
    this.#read().catch(() => {});
  }

  async #read(): Promise<void> {
    const answer = await this.open;
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      this.#text += chunk;
      const frames = this.#text.split('\n\n');
      this.#text = frames.pop()!;
      for (const frame of frames) {
        const [, id = '', event = '', data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(frame) ?? [];
        if (id) this.events.push({ id, event, data: JSON.parse(data) });
      }
    }
  }

  of(uuid: string): string[] {
    return this.events.filter(({ data }) => data.uuid === uuid).map(({ data }) => `${data.from} ${data.to} ${data.cause}`);
  }

  stop(): void {
    this.#stop.abort();
  }
}

const LIFE = [
  'null active created',
  'active falling-asleep idle',
  'falling-asleep sleeping idle',
  'sleeping waking activity',
  'waking active activity',
  'active deleting manual',
  'deleting deleted manual',
];

/** Takes a session through its life: created, asleep, woken, deleted. */
async function live(userId: string): Promise<SessionBody> {
  const session = await stack.create(userId, POLICY);
  await stack.until(session.uuid, 'sleeping');
  await stack.call('PATCH', `/v1/sessions/${session.uuid}`, { policy: 'balanced' });
  await stack.ping(session.uuid);
  await stack.until(session.uuid, 'active');
  await stack.call('DELETE', `/v1/sessions/${session.uuid}`);
  await stack.until(session.uuid, 'deleted');
  return session;
}

describe.concurrent('what happened', () => {
  it('events: a listener gets every change, and after a reconnect those that it missed, once', async () => {
    const listener = new Listener();
    expect((await listener.open).headers.get('content-type')).toBe('text/event-stream');
    // The stream omits changes from before it began.
    await waitFor('the stream has begun', async () => {
      await stack.create('prelude');
      return listener.events.length > 0;
    });
    const { uuid } = await live('ada');
    await waitFor('all was told', () => listener.of(uuid).length === LIFE.length);
    expect(listener.of(uuid)).toEqual(LIFE);
    listener.stop();

    const { uuid: later } = await live('grace');
    const missed = listener.events.find(({ data }) => data.uuid === uuid && data.to === 'sleeping')!;
    const again = new Listener(missed.id);
    await waitFor('all was made up for', () => again.of(later).length === LIFE.length);
    expect(again.of(uuid)).toEqual(LIFE.slice(3));
    expect(again.of(later)).toEqual(LIFE);
    expect(again.events.every(({ event }) => event === 'status')).toBe(true);
    again.stop();
  }, 60_000);

  it('events: an id older than what is kept is answered by a reset, a malformed one by a 400', async () => {
    const listener = new Listener('1-0_1-0_1-0');
    await waitFor('it is told so', () => listener.events.length > 0);
    expect(listener.events[0]).toMatchObject({ event: 'reset' });
    listener.stop();
    for (const id of ['x', '1-0', '1-0_2-0_3', `${listener.events[0]!.id}A`]) {
      const answer = await stack.call<{ code: string; detail: string }>('GET', '/v1/events', undefined, { 'last-event-id': id });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request', detail: expect.stringContaining('last-event-id') } });
    }
  });

  it('history says why a session is as it is, newest first', async () => {
    const { uuid } = await stack.create('historian', POLICY);
    await stack.until(uuid, 'sleeping');
    const answer = await stack.call<{ items: Change[] }>('GET', `/v1/sessions/${uuid}/history`);
    expect(answer.body.items.map(({ from, to, cause }) => `${from} ${to} ${cause}`)).toEqual(LIFE.slice(0, 3).toReversed());
    expect(Object.keys(answer.body.items[0]!)).toEqual(['at', 'from', 'to', 'cause']);
    expect((await stack.call('GET', '/v1/sessions/nobody/history')).status).toBe(404);
    await stack.call('DELETE', `/v1/sessions/${uuid}`);
    await stack.until(uuid, 'deleted');
    expect((await stack.call('GET', `/v1/sessions/${uuid}/history`)).status).toBe(410);
  });
});

it('savings are what the session-manager’s call log comes to, and are in the metrics', async () => {
  const policy = { sleepAfter: '1s', deleteAfter: '1h' };
  const before = (await stack.call<Saved>('GET', '/v1/savings')).body;
  const sessions = await Promise.all(Array.from({ length: 10 }, (_, i) => stack.create(`saver-${i}`, policy)));
  const created = Date.now();
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'sleeping')));
  const [first] = sessions;
  // It must not fall asleep again before the savings are read.
  await stack.call('PATCH', `/v1/sessions/${first!.uuid}`, { policy: { sleepAfter: '1h', deleteAfter: '1h' } });
  await stack.ping(first!.uuid);
  await stack.until(first!.uuid, 'active');
  const { body: after } = await stack.call<Saved & { byPolicy: Record<string, Saved> }>('GET', '/v1/savings');
  expect(after.sleeps - before.sleeps).toBe(10);
  expect(after.wakes - before.wakes).toBe(1);
  expect(after.regrets - before.regrets).toBe(1);
  // Ten pods ran for a second each, by the session-manager's clock.
  const slept = await Promise.all(sessions.map(async ({ uuid }) => (await stack.calls(uuid, 'sleep'))[0]!.doneAt - created));
  const awake = slept.reduce((sum, ms) => sum + ms, 0) / 1_000;
  expect(after.awakeSeconds - before.awakeSeconds).toBeGreaterThanOrEqual(awake);
  expect(after.awakeSeconds + after.asleepSeconds).toBeLessThanOrEqual(after.alwaysOnSeconds + 0.001);
  expect(after.savedFraction).toBeCloseTo(1 - after.awakeSeconds / after.alwaysOnSeconds, 10);
  expect(after.cost.awake).toBeCloseTo((after.awakeSeconds / 3_600) * PRICE, 10);
  expect(after.cost.saved).toBeCloseTo(((after.alwaysOnSeconds - after.awakeSeconds) / 3_600) * PRICE, 10);
  expect(Object.values(after.byPolicy).reduce((sum, { sleeps }) => sum + sleeps, 0)).toBe(after.sleeps);
  expect(Object.keys(after.byPolicy)).toContain('custom');

  const metrics = await (await fetch(`${stack.apiUrls[1]}/metrics`)).text();
  const value = (series: string) =>
    Number(
      metrics
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')[1],
    );
  expect(value('sandman_pod_seconds_total{state="awake"}')).toBeGreaterThanOrEqual(after.awakeSeconds);
  expect(value('sandman_pod_seconds_total{state="asleep"}')).toBeGreaterThanOrEqual(after.asleepSeconds);
  expect(value('sandman_regrets_total{policy="custom"}')).toBe(after.byPolicy.custom!.regrets);
});

it('an API that is told to stop ends its streams and exits 0', async () => {
  const listener = new Listener();
  await listener.open;
  const [api] = stack.apis;
  const asked = performance.now();
  api!.kill('SIGTERM');
  expect(await api!.exited).toBe(0);
  expect(performance.now() - asked).toBeLessThan(CLOSED_MS);
  listener.stop();
});
