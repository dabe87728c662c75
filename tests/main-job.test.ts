import { type FoundRedis, type RunningTime, redisForTests, waitFor, watchRunningTime } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SessionBody, TestStack } from './stack.ts';

const SHORT = { sleepAfter: '2s', deleteAfter: '3s' };

let redis: FoundRedis;
let stack: TestStack;
let running: RunningTime;

beforeAll(async () => {
  running = watchRunningTime();
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({ apis: 2, workers: 2 });
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
  running.stop();
});

describe('on two APIs and two workers', () => {
  // Concurrent, because they mostly wait and each has sessions of its own.
  it.concurrent('sleep comes 2.0 to 2.3 s after the last ping, delete 3.0 to 3.4 s after the sleep', async () => {
    const sessions = await Promise.all(Array.from({ length: 10 }, (_, i) => stack.create(`timing-${i}`, SHORT)));
    const lastPing = new Map<string, { sent: number; acknowledged: number }>();
    for (let round = 0; round < 6; round++) {
      await Promise.all(
        sessions.map(async ({ uuid }) => {
          const sent = Date.now();
          await stack.ping(uuid);
          lastPing.set(uuid, { sent, acknowledged: Date.now() });
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'deleted')));
    for (const { uuid } of sessions) {
      const calls = await stack.calls(uuid, 'sleep', 'delete');
      expect(calls.map(({ call }) => call)).toEqual(['sleep', 'delete']);
      const [sleep, remove] = calls;
      const ping = lastPing.get(uuid);
      expect(sleep!.at - ping!.sent).toBeGreaterThanOrEqual(2_000);
      expect(running.between(ping!.acknowledged, sleep!.at)).toBeLessThanOrEqual(2_300);
      expect(remove!.at - sleep!.doneAt).toBeGreaterThanOrEqual(2_990);
      expect(running.between(sleep!.at, remove!.at)).toBeLessThanOrEqual(3_400);
    }
  });

  it.concurrent('a chat that streams longer than sleepAfter keeps its session awake, also when the caller hangs up', async () => {
    const policy = { sleepAfter: '600ms', deleteAfter: '1h' };
    const [stays, leaves] = await Promise.all([stack.create('listener', policy), stack.create('leaver-mid-answer', policy)]);
    const message = { stream: { chunks: 10, intervalMs: 200 } };
    const hangUp = new AbortController();
    const cut = fetch(`${stack.apiUrls[0]}/v1/sessions/${leaves.uuid}/chat`, {
      method: 'POST',
      headers: { 'x-api-key': 'test-api-key-0123456789', 'content-type': 'application/json' },
      body: JSON.stringify({ message }),
      signal: hangUp.signal,
    });
    const whole = stack.call<string>('POST', `/v1/sessions/${stays.uuid}/chat`, { message });
    await (await cut).body?.getReader().read();
    hangUp.abort();
    expect((await whole).body.trim().split('\n')).toHaveLength(10);
    for (const { uuid } of [stays, leaves]) {
      const chat = await waitFor('the pod has answered', async () => (await stack.calls(uuid, 'chat')).find(({ doneAt }) => doneAt > 0));
      await stack.until(uuid, 'sleeping');
      // On a busy machine, the session may also have slept once before its chat arrived.
      const sleep = (await stack.calls(uuid, 'sleep')).find(({ at }) => at >= chat.at);
      expect(sleep!.at).toBeGreaterThan(chat.doneAt);
    }
  });

  it.concurrent('a chat keeps its session awake also under a shorter policy that comes in mid-answer', async () => {
    const { uuid } = await stack.create('patched');
    const message = { stream: { chunks: 5, intervalMs: 1_000 } };
    const whole = stack.call<string>('POST', `/v1/sessions/${uuid}/chat`, { message });
    await waitFor('the pod has begun', async () => (await stack.calls(uuid, 'chat')).length === 1);
    await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: { sleepAfter: '2s', deleteAfter: '1h' } });
    expect((await whole).body.trim().split('\n')).toHaveLength(5);
    const [chat] = await stack.calls(uuid, 'chat');
    await stack.until(uuid, 'sleeping');
    expect((await stack.calls(uuid, 'sleep'))[0]!.at).toBeGreaterThanOrEqual(chat!.doneAt);
  });

  it.concurrent('a hold keeps awake, and its end lets sleep', async () => {
    const { uuid } = await stack.create('holder', { sleepAfter: '200ms', deleteAfter: '1h' });
    const held = await stack.call('POST', `/v1/sessions/${uuid}/hold`, { for: '1h' });
    expect(held.status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await stack.status(uuid)).toBe('active');
    expect((await stack.call('DELETE', `/v1/sessions/${uuid}/hold`)).status).toBe(200);
    await stack.until(uuid, 'sleeping', 2_000);
  });

  it.concurrent('simple deletes without a sleep', async () => {
    const { uuid } = await stack.create('simple', { sleepAfter: 'never', deleteAfter: '500ms' });
    await stack.until(uuid, 'deleted');
    expect((await stack.calls(uuid)).map(({ call }) => call)).toEqual(['create', 'delete']);
  });

  it('logout deletes every live session of the user within 1 s', async () => {
    const sessions = await Promise.all([1, 2, 3].map(() => stack.create('leaver')));
    const at = Date.now();
    const answer = await stack.call<{ items: SessionBody[] }>('POST', '/v1/users/leaver/logout');
    expect(answer.status).toBe(202);
    expect(answer.body.items.map(({ status }) => status)).toEqual(['deleting', 'deleting', 'deleting']);
    for (const { uuid } of sessions) {
      await stack.until(uuid, 'deleted');
      const [remove] = await stack.calls(uuid, 'delete');
      expect(running.between(at, remove!.at)).toBeLessThan(1_000);
    }
    expect((await stack.call<{ items: SessionBody[] }>('POST', '/v1/users/leaver/logout')).body.items).toEqual([]);
  });

  it('a ping on a sleeping session wakes it', async () => {
    const { uuid } = await stack.create('sleeper', { sleepAfter: '300ms', deleteAfter: '1h' });
    await stack.until(uuid, 'sleeping');
    await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' });
    expect((await stack.ping(uuid)).status).toBe('waking');
    await stack.until(uuid, 'active');
    expect((await stack.calls(uuid)).map(({ call }) => call)).toEqual(['create', 'sleep', 'wake']);
  });

  it('a chat to a sleeping pod waits for the wake and is forwarded once', async () => {
    const { uuid } = await stack.create('chatter');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    await stack.fault({ call: 'wake', uuid, times: 1, fault: { delayMs: 500 } });
    const answer = await stack.call<{ reply: string }>('POST', `/v1/sessions/${uuid}/chat`, { message: 'hello' });
    expect(answer).toMatchObject({ status: 200, body: { reply: 'hello' } });
    const calls = await stack.calls(uuid, 'wake', 'chat');
    expect(calls.map(({ call }) => call)).toEqual(['wake', 'chat']);
    expect(calls[1]!.at).toBeGreaterThanOrEqual(calls[0]!.doneAt);
  });

  it('a chat that is answered 404 ends no session: its status is read', async () => {
    const { uuid } = await stack.create('misrouted');
    await stack.fault({ call: 'chat', uuid, times: 1, fault: { status: 404 } });
    const chat = () => stack.call<{ code: string; reply: string }>('POST', `/v1/sessions/${uuid}/chat`, { message: 'hello' });
    expect(await chat()).toMatchObject({ status: 502, body: { code: 'session-manager-error' } });
    expect(await chat()).toMatchObject({ status: 200, body: { reply: 'hello' } });
    expect((await stack.calls(uuid, 'status')).map(({ status }) => status)).toEqual([200]);
  });

  it('an adopted pod that turns out asleep is woken', async () => {
    await stack.sim('POST', '/sim/pods', { uuid: 'planted1', userId: 'owner', replicas: 0 });
    const adopted = await stack.call('PUT', '/v1/sessions/planted1', { userId: 'owner' });
    expect(adopted).toMatchObject({ status: 201, body: { status: 'active' } });
    await waitFor('it is woken', async () => (await stack.calls('planted1', 'wake')).length === 1);
    await stack.until('planted1', 'active');
    expect((await stack.call('PUT', '/v1/sessions/planted1', { userId: 'owner' })).status).toBe(200);
  });

  it('lists by user and by status, in pages', async () => {
    await Promise.all(Array.from({ length: 5 }, () => stack.create('lister')));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const path: string = `/v1/sessions?userId=lister&limit=2${cursor ? `&cursor=${cursor}` : ''}`;
      const page: { items: SessionBody[]; nextCursor: string | null } = (
        await stack.call<{ items: SessionBody[]; nextCursor: string | null }>('GET', path)
      ).body;
      seen.push(...page.items.map(({ uuid }) => uuid));
      cursor = page.nextCursor;
    } while (cursor);
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
    const { body } = await stack.call<{ items: SessionBody[] }>('GET', '/v1/sessions?status=active&limit=1000');
    expect(body.items.every(({ status }) => status === 'active')).toBe(true);
    expect(body.items.map(({ uuid }) => uuid)).toEqual(expect.arrayContaining(seen));
  });

  it('a batch takes each event alone', async () => {
    const [{ uuid }, dead] = await Promise.all([stack.create('batcher'), stack.create('batcher-dead')]);
    await stack.call('DELETE', `/v1/sessions/${dead.uuid}`);
    const events = [
      { uuid },
      { userId: 'batcher' },
      { uuid: 'nobody00' },
      { uuid: dead.uuid },
      { at: 'x' },
      { uuid, at: 'yesterday' },
      { uuid, userId: 'a' },
      7,
    ];
    const answer = await stack.call<{ accepted: number; rejected: { index: number; code: string }[] }>('POST', '/v1/activity', { events });
    expect(answer).toMatchObject({
      status: 202,
      body: {
        accepted: 2,
        rejected: [
          { index: 2, code: 'session-not-found' },
          { index: 3, code: 'session-deleted' },
          ...[4, 5, 6, 7].map((index) => ({ index, code: 'invalid-request' })),
        ],
      },
    });
  });
});
