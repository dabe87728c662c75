import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type SessionBody, TestStack } from '../stack.ts';

/** Two 404s end a session if they are at least `APART` apart, and the second comes at least `YOUNG` after tracking began; in ms. */
const APART = 10_000;
const YOUNG = 30_000;
/** The time limit for tests that wait for both, on a busy machine, in ms. */
const PATIENCE = 90_000;

let redis: FoundRedis;
let stack: TestStack;
/** Sessions that are older than 30 s when their tests begin, because the first three tests take that long. */
let older: SessionBody[];
let living: NodeJS.Timeout;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
  const { uuid } = await stack.create('well');
  // Without successful calls in between, 404s for five sessions would be taken for a wrong address.
  living = setInterval(() => stack.call('POST', `/v1/sessions/${uuid}/wake`).catch(() => {}), 200);
  older = await Promise.all(['ada', 'bob', 'eve', 'dan', 'leaver'].map((user) => stack.create(user)));
});

afterAll(async () => {
  clearInterval(living);
  await stack?.stop();
  await redis?.stop();
});

/**
 * Answers every call for these sessions with 404, as an ingress in the session-manager's place does.
 *
 * @returns a function that ends this
 */
async function answer404(uuids: readonly string[], call?: string): Promise<() => Promise<void>> {
  const ids = await Promise.all(
    uuids.map(async (uuid) => (await stack.fault({ uuid, ...(call ? { call } : {}), fault: { status: 404 } })).id),
  );
  return async () => {
    for (const id of ids) await stack.sim('DELETE', `/sim/faults/${id}`);
  };
}

const show = async (uuid: string) => (await stack.call<SessionBody>('GET', `/v1/sessions/${uuid}`)).body;
const createdAt = async (uuid: string) => (await stack.calls(uuid, 'create'))[0]!.at;

describe.concurrent('a session that the session-manager answers 404 for', { timeout: 2 * PATIENCE }, () => {
  it('adopted before the session-manager’s list has its pod: it stays, and is verified later', async ({ expect }) => {
    await stack.sim('POST', '/sim/pods', { uuid: 'early', userId: 'grace', replicas: 1 });
    const over = await answer404(['early'], 'status');
    expect((await stack.call('PUT', '/v1/sessions/early', { userId: 'grace' })).status).toBe(201);
    await waitFor('its status is not found', async () => (await stack.calls('early', 'status')).length === 1);
    await over();
    expect((await stack.ping('early')).status).toBe('active');
    await waitFor('its status is read again', async () => (await stack.calls('early', 'status')).at(-1)?.status === 200, PATIENCE);
    expect(await stack.status('early')).toBe('active');
  });

  it('once, and then answers a chat: the next 404 counts as the first', async ({ expect }) => {
    const { uuid } = await stack.create('chatter');
    await stack.fault({ uuid, call: 'status', times: 2, fault: { status: 404 } });
    await stack.fault({ uuid, call: 'chat', times: 1, fault: { status: 404 } });
    const chat = async () => (await stack.call('POST', `/v1/sessions/${uuid}/chat`, { message: 'hello' })).status;
    expect(await chat()).toBe(502);
    await waitFor('its status is not found', async () => (await stack.calls(uuid, 'status')).length === 1);
    expect(await chat()).toBe(200);
    // The second 404 comes late enough to confirm the first; the third call finds the pod.
    const reads = () => stack.calls(uuid, 'status');
    await waitFor('its status is read again and again', async () => (await reads()).length >= 3, PATIENCE);
    expect((await reads()).map(({ status }) => status)).toEqual([404, 404, 200]);
    expect(await stack.status(uuid)).toBe('active');
  });

  it('for good, met by a chat: 502, and 410 once the 404 is confirmed', async ({ expect }) => {
    const { uuid } = await stack.create('loser');
    const from = await createdAt(uuid);
    await stack.sim('DELETE', `/session/${uuid}`);
    const chat = () => stack.call<{ code: string }>('POST', `/v1/sessions/${uuid}/chat`, { message: 'hello' });
    expect(await chat()).toMatchObject({ status: 502, body: { code: 'session-manager-error' } });
    expect(await stack.status(uuid)).toBe('active');
    await stack.until(uuid, 'deleted', PATIENCE);
    expect(await chat()).toMatchObject({ status: 410, body: { code: 'session-deleted' } });
    const reads = await stack.calls(uuid, 'status');
    expect(reads.map(({ status }) => status)).toEqual([404, 404]);
    expect(reads[1]!.at - reads[0]!.doneAt).toBeGreaterThanOrEqual(APART - 50);
    expect(reads[1]!.at - from).toBeGreaterThanOrEqual(YOUNG - 50);
  });

  it('that was adopted and never existed is gone after 30 s, and another may then have its uuid', async ({ expect }) => {
    const put = async (userId: string) => (await stack.call('PUT', '/v1/sessions/phantom', { userId })).status;
    const from = Date.now();
    expect(await put('owner')).toBe(201);
    expect(await put('other')).toBe(409);
    await stack.until('phantom', 'deleted', PATIENCE);
    expect(Date.now() - from).toBeGreaterThanOrEqual(YOUNG - 50);
    expect(await put('other')).toBe(201);
  });

  it('for a while, in an ingress that restarts: nothing ends, and what was due is done when it answers again', async ({ expect }) => {
    const [ada, bob, eve, dozing] = older as [SessionBody, SessionBody, SessionBody, SessionBody];
    const sessions = [ada, bob, eve];
    const all = [...sessions, dozing].map(({ uuid }) => uuid);
    await stack.call('POST', `/v1/sessions/${dozing.uuid}/sleep`);
    await stack.until(dozing.uuid, 'sleeping');
    const over = await answer404(all);
    const policy = { sleepAfter: '1s', deleteAfter: '1h' };
    await Promise.all(sessions.map(({ uuid }) => stack.call('PATCH', `/v1/sessions/${uuid}`, { policy })));
    // The user returns during the outage.
    await stack.ping(dozing.uuid);
    const isNotFound = async (uuid: string) => (await stack.calls(uuid)).some(({ status }) => status === 404);
    await waitFor('each is not found', async () => (await Promise.all(all.map(isNotFound))).every(Boolean));
    // An ordinary retry would come in this time. The one that confirms comes 10 s after the first 404: time enough for all that follows.
    const from = Date.now();
    await waitFor('2 s pass', () => Date.now() >= from + 2_000);
    expect(await Promise.all(all.map((uuid) => stack.status(uuid)))).toEqual([...sessions.map(() => 'falling-asleep'), 'waking']);
    expect((await show(sessions[0]!.uuid)).problem).toMatchObject({ failures: 1, lastError: 'sleep: HTTP 404, to be confirmed' });
    await over();
    await stack.until(dozing.uuid, 'active', PATIENCE);
    await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'sleeping', PATIENCE)));
    expect(await Promise.all(sessions.map(async ({ uuid }) => (await show(uuid)).problem))).toEqual([null, null, null]);
  });

  it('when it is deleted: deleting until a second delete confirms it', async ({ expect }) => {
    const { uuid } = older[4]!;
    await stack.fault({ uuid, call: 'delete', times: 1, fault: { status: 404 } });
    await stack.call('POST', '/v1/users/leaver/logout');
    await waitFor('the first is answered', async () => (await stack.calls(uuid, 'delete')).length === 1);
    expect(await stack.status(uuid)).toBe('deleting');
    await stack.until(uuid, 'deleted', PATIENCE);
    const deletes = await stack.calls(uuid, 'delete');
    // The pod existed all the time; the second delete removed it.
    expect(deletes.map(({ status }) => status)).toEqual([404, 200]);
    expect(deletes[1]!.at - deletes[0]!.doneAt).toBeGreaterThanOrEqual(APART - 50);
  });
});
