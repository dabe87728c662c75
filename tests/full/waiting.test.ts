import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { API_KEY, type SessionBody, TestStack } from '../stack.ts';

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

const show = async (uuid: string) => (await stack.call<SessionBody>('GET', `/v1/sessions/${uuid}`)).body;

/** How long the sessions may idle, in ms: longer than a busy machine stands still. */
const IDLE_MS = 8_000;

/** Creates a sleeping session whose wakes fail until the returned `serve` is called. */
async function unwakeable(user: string) {
  const { uuid } = await stack.create(user);
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  const { id } = await stack.fault({ call: 'wake', uuid, fault: { status: 500 } });
  return { uuid, serve: () => stack.sim('DELETE', `/sim/faults/${id}`) };
}

/** Gives a session a policy under which it sleeps after `IDLE_MS`. */
async function shorten(uuid: string, deleteAfter: string) {
  await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: { sleepAfter: `${IDLE_MS}ms`, deleteAfter } });
}

/** Waits until the session sleeps again. Returns the wake that succeeded, and the sleep after it. */
async function wakeAndSleep(uuid: string) {
  await waitFor('it sleeps again', async () => (await stack.calls(uuid, 'sleep')).length === 2, 60_000);
  const wake = (await stack.calls(uuid, 'wake')).at(-1)!;
  return { wake, sleep: (await stack.calls(uuid, 'sleep'))[1]! };
}

describe.concurrent('while every wake fails for longer than sleepAfter', { timeout: 150_000 }, () => {
  it('a user who waits for the wake is active: the session is not deleted, and sleeps a whole sleepAfter after it', async ({ expect }) => {
    const { uuid, serve } = await unwakeable('ada');
    const waiting = stack.call<SessionBody>('POST', `/v1/sessions/${uuid}/wake?wait=120s`);
    await waitFor('the user waits', async () => (await show(uuid)).status === 'waking');
    await shorten(uuid, `${IDLE_MS}ms`);
    const from = Date.now();
    await waitFor('longer passes than both deadlines together', () => Date.now() >= from + 2 * IDLE_MS + 4_000);
    expect((await show(uuid)).status).toBe('waking');
    await serve();
    expect(await waiting).toMatchObject({ status: 200, body: { status: 'active' } });
    const { wake, sleep } = await wakeAndSleep(uuid);
    expect(sleep.at - wake.doneAt).toBeGreaterThanOrEqual(IDLE_MS - 50);
  });

  it('a ping that is not repeated: the session sleeps a whole sleepAfter after its wake', async ({ expect }) => {
    const { uuid, serve } = await unwakeable('bob');
    await shorten(uuid, '1h');
    const { lastActivity } = await stack.ping(uuid);
    await waitFor('longer passes than it may idle', () => Date.now() >= Date.parse(lastActivity) + IDLE_MS + 4_000);
    await serve();
    await stack.until(uuid, 'active', 60_000);
    const awake = await show(uuid);
    // The user's own last activity is the ping.
    expect(awake.lastActivity).toBe(lastActivity);
    const { wake, sleep } = await wakeAndSleep(uuid);
    expect(sleep.at - wake.doneAt).toBeGreaterThanOrEqual(IDLE_MS - 50);
    expect(Math.abs(Date.parse(awake.sleepAt!) - wake.doneAt - IDLE_MS)).toBeLessThan(6_000);
  });

  it('a caller who waited for the wake and hung up is active no more', async ({ expect }) => {
    const { uuid } = await unwakeable('eve');
    await shorten(uuid, '1h');
    const hangUp = new AbortController();
    const url = `${stack.apiUrls[0]}/v1/sessions/${uuid}/wake?wait=60s`;
    const waiting = fetch(url, { method: 'POST', headers: { 'x-api-key': API_KEY }, signal: hangUp.signal });
    const began = (await show(uuid)).lastActivity;
    await waitFor('waiting counts', async () => (await show(uuid)).lastActivity > began);
    hangUp.abort();
    await waiting.catch(() => {});
    let last = '';
    await waitFor('no more is counted for two seconds', async () => {
      const { lastActivity } = await show(uuid);
      const still = lastActivity === last && Date.now() - Date.parse(lastActivity) > 2_000;
      last = lastActivity;
      return still;
    });
    expect((await show(uuid)).status).toBe('waking');
  });
});

it('a sleep is answered Retry-After: 60; its user comes back, and waits 15 s at most', { timeout: 120_000 }, async ({ expect }) => {
  const { uuid } = await stack.create('dan');
  await stack.fault({ call: 'sleep', uuid, times: 1, fault: { status: 503, retryAfter: '60' } });
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await waitFor('the sleep is answered', async () => ((await show(uuid)).problem?.failures ?? 0) === 1);
  const from = Date.now();
  expect((await stack.ping(uuid)).status).toBe('waking');
  await stack.until(uuid, 'active', 45_000);
  const [wake] = await stack.calls(uuid, 'wake');
  expect(wake!.at - from).toBeLessThan(25_000);
});
