import { askRedis, type RedisServer, startRedis, waitFor } from '@sandman/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

let redis: RedisServer;
let stack: TestStack;

beforeEach(async () => {
  redis = await startRedis({ aof: true });
  stack = new TestStack(redis.url);
});

afterEach(async () => {
  await stack?.stop();
  await redis?.stop();
});

describe('a worker killed with kill -9', () => {
  it('in the middle of a wake: another takes over, and the user waits less than 10 s', async () => {
    await stack.start({ workers: 1 });
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    await stack.fault({ call: 'wake', uuid, times: 1, fault: { hang: true } });
    await stack.ping(uuid);
    await waitFor('the wake is in flight', async () => (await stack.calls(uuid, 'wake')).length === 1);
    stack.workers[0]!.kill('SIGKILL');
    const killedAt = Date.now();
    await stack.addWorker();
    await stack.until(uuid, 'active', 20_000);
    const [, second] = await stack.calls(uuid, 'wake');
    expect(second!.at - killedAt).toBeLessThan(10_000);
  });

  it('in the middle of a sleep: another takes over', async () => {
    await stack.start({ workers: 1 });
    const { uuid } = await stack.create('ada');
    await stack.fault({ call: 'sleep', uuid, times: 1, fault: { hang: true } });
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await waitFor('the sleep is in flight', async () => (await stack.calls(uuid, 'sleep')).length === 1);
    stack.workers[0]!.kill('SIGKILL');
    await stack.addWorker();
    await stack.until(uuid, 'sleeping', 20_000);
    expect(await stack.calls(uuid, 'sleep')).toHaveLength(2);
  });
});

it('a worker told to stop finishes its call, takes no more, and exits 0', async () => {
  await stack.start({ workers: 1 });
  const { uuid } = await stack.create('ada');
  await stack.fault({ call: 'sleep', uuid, times: 1, fault: { delayMs: 1_500 } });
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await waitFor('the sleep is in flight', async () => (await stack.calls(uuid, 'sleep')).length === 1);
  const worker = stack.workers[0]!;
  // Twice, as a process group and npm do it.
  worker.kill('SIGTERM');
  worker.kill('SIGTERM');
  expect(await worker.exited).toBe(0);
  expect(await stack.status(uuid)).toBe('sleeping');
});

it('Redis gone for 3 s: pings answer 503 within 1 s each, and everything goes on by itself', async () => {
  await stack.start({ apis: 2, workers: 2 });
  const { uuid } = await stack.create('ada', { sleepAfter: '5s', deleteAfter: '3s' });
  await redis.kill();
  const downAt = Date.now();
  while (Date.now() - downAt < 3_000) {
    const askedAt = Date.now();
    const answer = await stack.call<{ code: string }>('POST', `/v1/sessions/${uuid}/activity`);
    expect(answer).toMatchObject({ status: 503, body: { code: 'not-ready' } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Date.now() - askedAt).toBeLessThan(1_000);
  }
  expect((await fetch(`${stack.apiUrls[0]}/readyz`)).status).toBe(503);
  expect((await fetch(`${stack.apiUrls[0]}/healthz`)).status).toBe(200);
  await redis.restart();
  await waitFor('pings are taken again', async () => (await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status === 202, 5_000);
  await stack.until(uuid, 'sleeping');
  await stack.until(uuid, 'deleted');
});

it('an API and a worker that start before their Redis come to work once it is there', async () => {
  await stack.start({ apis: 1, workers: 1 });
  const { uuid } = await stack.create('ada');
  await redis.kill();
  const late = [stack.addApi(), stack.addWorker()];
  await waitFor('the late API answers', async () => (await fetch(`${stack.apiUrls[1]}/readyz`).catch(() => null))?.status === 503);
  const early = await stack.call<{ code: string }>('POST', '/v1/sessions', { userId: 'bob' });
  expect(early).toMatchObject({ status: 503, body: { code: 'not-ready' } });
  await redis.restart();
  await Promise.all(late);
  stack.workers[0]!.kill('SIGKILL');
  // Both in turn: the one that was there reconnects within half a second, the late one is ready.
  await waitFor('each takes requests', async () => {
    const answers = [await stack.call('GET', `/v1/sessions/${uuid}`), await stack.call('GET', `/v1/sessions/${uuid}`)];
    return answers.every(({ status }) => status === 200);
  });
  expect((await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status).toBe(202);
  expect((await stack.call('POST', `/v1/sessions/${uuid}/sleep`)).status).toBe(202);
  await stack.until(uuid, 'sleeping');
});

it('Redis frozen: pings answer 503 within about a second instead of hanging', async () => {
  await stack.start({});
  const { uuid } = await stack.create('ada');
  process.kill(redis.pid(), 'SIGSTOP');
  try {
    const askedAt = Date.now();
    expect((await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status).toBe(503);
    // The time-out of 800 ms, and what a busy machine adds.
    expect(Date.now() - askedAt).toBeLessThan(3_000);
  } finally {
    process.kill(redis.pid(), 'SIGCONT');
  }
  await waitFor('pings are taken again', async () => (await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status === 202, 5_000);
});

it('an API told to stop, with a request in hand: nobody who could not ping meanwhile is put to sleep', async () => {
  await stack.start({});
  const [{ uuid }, other] = await Promise.all([stack.create('ada', { sleepAfter: '3s', deleteAfter: '1h' }), stack.create('grace')]);
  await stack.call('POST', `/v1/sessions/${other.uuid}/sleep`);
  await stack.until(other.uuid, 'sleeping');
  await stack.fault({ call: 'wake', uuid: other.uuid, fault: { hang: true } });
  const waiting = stack.call('POST', `/v1/sessions/${other.uuid}/wake?wait=6s`);
  await waitFor('the wake is in flight', async () => (await stack.calls(other.uuid, 'wake')).length > 0);
  await stack.ping(uuid);
  const [api] = stack.apis.splice(0);
  stack.apiUrls.length = 0;
  api!.kill('SIGTERM');
  expect((await waiting).status).toBe(202);
  expect(await api!.exited).toBe(0);
  const backAt = Date.now();
  await stack.addApi();
  await stack.until(uuid, 'sleeping');
  expect((await stack.calls(uuid, 'sleep'))[0]!.at - backAt).toBeGreaterThanOrEqual(3_000);
}, 60_000);

it('an API told to stop serves on until whoever asks has heard that it is not ready, and loses no ping', async () => {
  await stack.start({ apis: 2 });
  const { uuid } = await stack.create('ada', { sleepAfter: '2s', deleteAfter: '1h' });
  // As a balancer does it: what was ready when it was last asked gets the next ping.
  const ready = new Map(stack.apiUrls.map((url) => [url, true]));
  const stop = new AbortController();
  let looks = 0;
  const looking = (async () => {
    for (; !stop.signal.aborted; await new Promise((resolve) => setTimeout(resolve, 500))) {
      looks++;
      for (const url of stack.apiUrls) ready.set(url, (await fetch(`${url}/readyz`).catch(() => null))?.ok ?? false);
    }
  })();
  const headers = { 'x-api-key': 'test-api-key-0123456789' };
  const answers: number[] = [];
  const reconnect = new Set<string>();
  const pinging = (async () => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const up = stack.apiUrls.filter((url) => ready.get(url));
      const url = up[turn % up.length]!;
      const answer = await fetch(`${url}/v1/sessions/${uuid}/activity`, { method: 'POST', headers });
      await answer.body?.cancel();
      answers.push(answer.status);
      if (answer.headers.get('connection') === 'close') reconnect.add(url);
    }
  })();
  const [leaver] = stack.apis;
  await waitFor('it has been asked again', async () => looks > 3);
  leaver!.kill('SIGTERM');
  expect(await leaver!.exited).toBe(0);
  stop.abort();
  await Promise.all([looking, pinging]);
  expect(new Set(answers)).toEqual(new Set([202]));
  // Its callers' connections ended with an answer: none found it gone.
  expect([...reconnect]).toEqual([stack.apiUrls[0]]);
  expect(await stack.calls(uuid, 'sleep')).toEqual([]);
}, 60_000);

it('after Redis came back with older data a ping wakes at once what the record takes to be awake, and a chat waits for it', async () => {
  await stack.start({});
  const sessions = await Promise.all(['ada', 'grace', 'idle'].map((user) => stack.create(user)));
  const [pinged, chatting, silent] = sessions.map(({ uuid }) => uuid);
  // What Redis has forgotten: all of them were put to sleep.
  for (const { uuid } of sessions) await stack.sim('POST', `/session/${uuid}/sleep`);
  await askRedis(redis, (client) => client.hset(`{${stack.prefix}:0}:ingest`, 'rewound', Date.now()));
  const at = Date.now();
  expect((await stack.ping(pinged!)).status).toBe('waking');
  await waitFor('it is woken', async () => (await stack.calls(pinged!, 'wake')).length > 0);
  expect((await stack.calls(pinged!, 'wake'))[0]!.at - at).toBeLessThan(1_000);
  const answer = await stack.call<{ reply: string }>('POST', `/v1/sessions/${chatting}/chat`, { message: 'hello' });
  expect(answer).toMatchObject({ status: 200, body: { reply: 'hello' } });
  expect((await stack.calls(chatting!)).map(({ call }) => call)).toEqual(['create', 'sleep', 'wake', 'chat']);
  // Whoever says nothing is found by the sweep.
  await waitFor('the sweep finds it', async () => (await stack.calls(silent!, 'wake')).length > 0, 40_000);
}, 60_000);

it('wakes are not stuck behind sleeps that hang', async () => {
  stack = new TestStack(redis.url, { WORKER_CONCURRENCY: '4' });
  await stack.start({});
  const { uuid } = await stack.create('ada');
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  await stack.fault({ call: 'sleep', fault: { hang: true } });
  const others = await Promise.all(Array.from({ length: 12 }, (_, i) => stack.create(`other-${i}`)));
  await Promise.all(others.map((other) => stack.call('POST', `/v1/sessions/${other.uuid}/sleep`)));
  await waitFor('sleeps hang', async () => (await Promise.all(others.map((other) => stack.calls(other.uuid, 'sleep')))).flat().length >= 3);
  const woken = await stack.call('POST', `/v1/sessions/${uuid}/wake?wait=2s`);
  expect(woken).toMatchObject({ status: 200, body: { status: 'active' } });
});

it('a session-manager that fails is called again until it works; the problem shows meanwhile', async () => {
  await stack.start({});
  const { uuid } = await stack.create('ada');
  await stack.fault({ call: 'sleep', uuid, times: 3, fault: { status: 500 } });
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await waitFor('a problem shows', async () => ((await stack.call('GET', `/v1/sessions/${uuid}`)).body.problem?.failures ?? 0) >= 1);
  await stack.until(uuid, 'sleeping');
  expect(await stack.calls(uuid, 'sleep')).toHaveLength(4);
  expect((await stack.call('GET', `/v1/sessions/${uuid}`)).body.problem).toBeNull();
});

it('a sleep that times out and lands after the wake is found out, and the user’s pod woken', async () => {
  stack = new TestStack(redis.url, { SESSION_MANAGER_TIMEOUT: '500ms', LATE_EFFECT_BOUND: '1500ms' });
  await stack.start({});
  const { uuid } = await stack.create('ada');
  await stack.fault({ call: 'sleep', uuid, times: 1, fault: { lateMs: 1_000 } });
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await waitFor('the sleep was sent', async () => (await stack.calls(uuid, 'sleep')).length === 1);
  await stack.ping(uuid);
  await waitFor('it was woken twice', async () => (await stack.calls(uuid, 'wake')).length === 2);
  await stack.until(uuid, 'active');
  expect((await stack.calls(uuid, 'status')).length).toBeGreaterThan(0);
});
