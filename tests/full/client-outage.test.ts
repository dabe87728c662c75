import { type AppProcess, type FoundRedis, freePort, redisForTests, startEntry, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { API_KEY, TestStack } from '../stack.ts';

const SESSIONS = 200;
/** The interval between requests, in ms. It does not depend on earlier answers. */
const EVERY_MS = 5;
const BEFORE_MS = 6_000;
const FROZEN_MS = 12_000;
const DEAD_MS = 18_000;

let redis: FoundRedis;
let stack: TestStack;
let port: number;
let backend: AppProcess;
let url: string;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({ apis: 0 });
  port = await freePort();
  await stack.addApi(port);
  const own = await freePort();
  url = `http://127.0.0.1:${own}`;
  const env = { SANDMAN_URL: `http://127.0.0.1:${port}`, SANDMAN_API_KEY: API_KEY, PORT: `${own}` };
  backend = startEntry(new URL('./pinging-backend.ts', import.meta.url), env);
  await waitFor('the chat backend answers', async () => (await fetch(`${url}/stats`).catch(() => null))?.ok);
});

afterAll(async () => {
  backend?.kill('SIGKILL');
  await stack?.stop();
  await redis?.stop();
});

interface Sent {
  readonly uuid: string;
  /** By the wall clock, in ms since the epoch. */
  readonly at: number;
  answeredAt: number;
  took: number;
}

/** Sends messages until the returned function is called; that function waits for the last answer and returns all of them. */
function talk(uuids: readonly string[]): () => Promise<Sent[]> {
  const sent: Sent[] = [];
  const answers: Promise<void>[] = [];
  const timer = setInterval(() => {
    const from = performance.now();
    const one: Sent = { uuid: uuids[sent.length % uuids.length]!, at: Date.now(), answeredAt: 0, took: 0 };
    sent.push(one);
    const asking = async () => {
      const answer = await fetch(`${url}/chat/${one.uuid}`, { method: 'POST' });
      if (!answer.ok) throw new Error(`the chat backend answered ${answer.status}`);
      await answer.text();
      one.took = performance.now() - from;
      one.answeredAt = Date.now();
    };
    answers.push(asking());
  }, EVERY_MS);
  return async () => {
    clearInterval(timer);
    await Promise.all(answers);
    return sent;
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function p99(sent: readonly Sent[]): number {
  const took = sent.map((one) => one.took).sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.99)]!;
}

it('Sandman down for 30 s: a chat backend’s users notice nothing, and all of their activity arrives afterwards', async () => {
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, (_, i) => stack.create(`user-${i}`)));
  const uuids = sessions.map(({ uuid }) => uuid);

  // The first requests warm up the backend.
  let stop = talk(uuids);
  await pause(1_000);
  await stop();
  stop = talk(uuids);
  await pause(BEFORE_MS);
  const before = await stop();

  const [api] = stack.apis.splice(0);
  api!.kill('SIGSTOP');
  stop = talk(uuids);
  await pause(FROZEN_MS);
  api!.kill('SIGKILL');
  await api!.exited;
  await pause(DEAD_MS);
  const during = await stop();

  const [usual, then] = [p99(before), p99(during)];
  console.log(`p99 of the chat backend: ${usual.toFixed(1)} ms before, ${then.toFixed(1)} ms in the outage (${during.length} requests)`);
  expect(then).toBeLessThanOrEqual(3 * usual + 20);
  const { buffered } = (await (await fetch(`${url}/stats`)).json()) as { buffered: number };
  expect(buffered).toBe(SESSIONS);

  stack.apiUrls.length = 0;
  await stack.addApi(port);
  const last = new Map(during.map((one) => [one.uuid, one]));
  await waitFor('all has arrived', async () => ((await (await fetch(`${url}/stats`)).json()) as { buffered: number }).buffered === 0);
  for (const uuid of uuids) {
    const { at, answeredAt } = last.get(uuid)!;
    const lastActivity = Date.parse((await stack.call('GET', `/v1/sessions/${uuid}`)).body.lastActivity);
    expect(lastActivity).toBeGreaterThanOrEqual(at);
    // The backend pings after its answer, which may arrive here earlier; and an activity younger than 1 s is dated as now.
    expect(lastActivity).toBeLessThanOrEqual(answeredAt + 1_250);
  }
  expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({ buffered: 0, dropped: 0 });
}, 90_000);
