import { setTimeout as pause } from 'node:timers/promises';
import { askRedis, type RedisServer, type RunningTime, startRedis, waitFor, watchRunningTime } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY, START_MS, TestStack } from './stack.ts';

// Most of the time is spent waiting for leases, for sweeps, or for an API to stop. So the groups below are concurrent, each on a
// stack of its own. The tests of one group share its processes, and run one after the other.
const SIDE_BY_SIDE = { concurrent: true };
const IN_TURN = { concurrent: false };

/** Shared, because most groups do not disturb it. */
let redis: RedisServer;
let running: RunningTime;

beforeAll(async () => {
  running = watchRunningTime();
  redis = await startRedis({ aof: true });
});

afterAll(async () => {
  running.stop();
  await redis?.stop();
});

describe('Redis', SIDE_BY_SIDE, () => {
  let killed: RedisServer;
  let stack: TestStack;

  beforeAll(async () => {
    killed = await startRedis({ aof: true });
    stack = await new TestStack(killed.url).start({ apis: 2, workers: 2 });
  });

  afterAll(async () => {
    await stack?.stop();
    await killed?.stop();
  });

  it('frozen: pings answer 503 within about a second instead of hanging', IN_TURN, async () => {
    const { uuid } = await stack.create('ada');
    process.kill(killed.pid(), 'SIGSTOP');
    try {
      const askedAt = Date.now();
      expect((await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status).toBe(503);
      // The timeout of 800 ms, and a margin for a busy machine.
      expect(running.between(askedAt, Date.now())).toBeLessThan(3_000);
    } finally {
      process.kill(killed.pid(), 'SIGCONT');
    }
    await waitFor('pings are taken again', async () => (await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status === 202, 5_000);
  });

  it('gone for 3 s: pings answer 503 within 1 s each, and everything goes on by itself', IN_TURN, async () => {
    const { uuid } = await stack.create('ada', { sleepAfter: '4s', deleteAfter: '2s' });
    await killed.kill();
    const downAt = Date.now();
    while (Date.now() - downAt < 3_000) {
      const askedAt = Date.now();
      const answer = await stack.call<{ code: string }>('POST', `/v1/sessions/${uuid}/activity`);
      expect(answer).toMatchObject({ status: 503, body: { code: 'not-ready' } });
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(running.between(askedAt, Date.now())).toBeLessThan(1_000);
      await pause(20);
    }
    expect((await fetch(`${stack.apiUrls[0]}/readyz`)).status).toBe(503);
    expect((await fetch(`${stack.apiUrls[0]}/healthz`)).status).toBe(200);
    await killed.restart();
    await waitFor('pings are taken again', async () => (await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status === 202, 5_000);
    await stack.until(uuid, 'sleeping');
    await stack.until(uuid, 'deleted');
  });

  it('not there yet when an API and a worker start: they come to work once it is', IN_TURN, async () => {
    const { uuid } = await stack.create('ada');
    const before = [...stack.workers];
    await killed.kill();
    const at = stack.apiUrls.length;
    const late = [stack.addApi(), stack.addWorker()];
    const isNotReady = async () => (await fetch(`${stack.apiUrls[at]}/readyz`).catch(() => null))?.status === 503;
    await waitFor('the late API answers', isNotReady, START_MS);
    // Calls go to each API in turn, including the late one.
    for (const _ of stack.apiUrls) {
      const early = await stack.call<{ code: string }>('POST', '/v1/sessions', { userId: 'bob' });
      expect(early).toMatchObject({ status: 503, body: { code: 'not-ready' } });
    }
    await killed.restart();
    await Promise.all(late);
    for (const worker of before) worker.kill('SIGKILL');
    // Calls go to each API in turn. Those that ran before reconnect within half a second; the late one is ready.
    await waitFor('each takes requests', async () => {
      const answers: number[] = [];
      for (const _ of stack.apiUrls) answers.push((await stack.call('GET', `/v1/sessions/${uuid}`)).status);
      return answers.every((status) => status === 200);
    });
    expect((await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status).toBe(202);
    expect((await stack.call('POST', `/v1/sessions/${uuid}/sleep`)).status).toBe(202);
    await stack.until(uuid, 'sleeping');
  });
});

describe('an API told to stop', SIDE_BY_SIDE, () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await new TestStack(redis.url).start({});
  });

  afterAll(() => stack?.stop());

  it('with a request in hand: a user who could not ping meanwhile is not put to sleep', { ...IN_TURN, timeout: 60_000 }, async () => {
    const other = await stack.create('grace');
    await stack.call('POST', `/v1/sessions/${other.uuid}/sleep`);
    await stack.until(other.uuid, 'sleeping');
    await stack.fault({ call: 'wake', uuid: other.uuid, fault: { hang: true } });
    const waiting = stack.call('POST', `/v1/sessions/${other.uuid}/wake?wait=5s`);
    await waitFor('the wake is in flight', async () => (await stack.calls(other.uuid, 'wake')).length > 0);
    const { uuid } = await stack.create('ada', { sleepAfter: '2s', deleteAfter: '1h' });
    await stack.ping(uuid);
    const [api] = stack.apis.splice(0);
    stack.apiUrls.length = 0;
    api!.kill('SIGTERM');
    const { status, body } = await waiting;
    expect(status, JSON.stringify(body)).toBe(202);
    expect(await api!.exited).toBe(0);
    const backAt = Date.now();
    await stack.addApi();
    await stack.until(uuid, 'sleeping');
    expect((await stack.calls(uuid, 'sleep'))[0]!.at - backAt).toBeGreaterThanOrEqual(2_000);
  });

  it('goes on serving until a health check has seen that it is not ready, and loses no ping', { ...IN_TURN, timeout: 60_000 }, async () => {
    await stack.addApi();
    const { uuid } = await stack.create('ada', { sleepAfter: '2s', deleteAfter: '1h' });
    // Behaves like a load balancer: an API that was ready at its last check gets the next ping.
    const ready = new Map(stack.apiUrls.map((url) => [url, true]));
    const stop = new AbortController();
    let looks = 0;
    const looking = (async () => {
      for (; !stop.signal.aborted; await pause(500)) {
        for (const url of stack.apiUrls) ready.set(url, (await fetch(`${url}/readyz`).catch(() => null))?.ok ?? false);
        looks++;
      }
    })();
    const headers = { 'x-api-key': API_KEY };
    const answers: number[] = [];
    const reconnect = new Set<string>();
    const pinging = (async () => {
      for (let turn = 0; !stop.signal.aborted; turn++) {
        const up = stack.apiUrls.filter((url) => ready.get(url));
        const url = up[turn % up.length];
        // On a busy machine an answer of `/readyz` may take too long.
        if (!url) {
          await pause(25);
          continue;
        }
        const answer = await fetch(`${url}/v1/sessions/${uuid}/activity`, { method: 'POST', headers });
        await answer.body?.cancel();
        answers.push(answer.status);
        if (answer.headers.get('connection') === 'close') reconnect.add(url);
        await pause(25);
      }
    })();
    const [leaver] = stack.apis;
    await waitFor('it has been asked again', async () => looks > 3);
    leaver!.kill('SIGTERM');
    expect(await leaver!.exited).toBe(0);
    stop.abort();
    await Promise.all([looking, pinging]);
    expect(new Set(answers)).toEqual(new Set([202]));
    // The leaving API ended its connections with an answer, so no caller found it gone.
    expect([...reconnect]).toEqual([stack.apiUrls[0]]);
    expect(await stack.calls(uuid, 'sleep')).toEqual([]);
  });
});

describe('a worker', SIDE_BY_SIDE, () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await new TestStack(redis.url).start({});
  });

  afterAll(() => stack?.stop());

  it('told to stop finishes its call, takes no more, and exits 0', IN_TURN, async () => {
    const { uuid } = await stack.create('ada');
    await stack.fault({ call: 'sleep', uuid, times: 1, fault: { delayMs: 1_500 } });
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await waitFor('the sleep is in flight', async () => (await stack.calls(uuid, 'sleep')).length === 1);
    const worker = stack.workers[0]!;
    // Twice, as a process group and npm send it.
    worker.kill('SIGTERM');
    worker.kill('SIGTERM');
    expect(await worker.exited).toBe(0);
    expect(await stack.status(uuid)).toBe('sleeping');
  });

  describe('killed with kill -9', IN_TURN, () => {
    let waking: string;
    let fallingAsleep: string;
    let killedAt: number;

    beforeAll(async () => {
      const worker = await stack.addWorker();
      // Another worker that is up, but stopped, so that it takes no job before the first is killed.
      const other = await stack.addWorker();
      other.kill('SIGSTOP');
      [waking, fallingAsleep] = (await Promise.all(['ada', 'grace'].map((user) => stack.create(user)))).map(({ uuid }) => uuid) as [
        string,
        string,
      ];
      await stack.call('POST', `/v1/sessions/${waking}/sleep`);
      await stack.until(waking, 'sleeping');
      await stack.fault({ call: 'sleep', uuid: fallingAsleep, times: 1, fault: { hang: true } });
      await stack.call('POST', `/v1/sessions/${fallingAsleep}/sleep`);
      await stack.fault({ call: 'wake', uuid: waking, times: 1, fault: { hang: true } });
      await stack.ping(waking);
      await waitFor('the sleep is in flight', async () => (await stack.calls(fallingAsleep, 'sleep')).length === 1);
      await waitFor('the wake is in flight', async () => (await stack.calls(waking, 'wake')).length === 1);
      worker.kill('SIGKILL');
      other.kill('SIGCONT');
      killedAt = Date.now();
    });

    it('in the middle of a wake: another takes over, and the user waits less than 10 s', async () => {
      await stack.until(waking, 'active', 20_000);
      const [, second] = await stack.calls(waking, 'wake');
      expect(second!.at - killedAt).toBeLessThan(10_000);
    });

    it('in the middle of a sleep: another takes over', async () => {
      await stack.until(fallingAsleep, 'sleeping', 20_000);
      expect(await stack.calls(fallingAsleep, 'sleep')).toHaveLength(2);
    });
  });
});

describe('with no more than four calls at once', SIDE_BY_SIDE, () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await new TestStack(redis.url, { WORKER_CONCURRENCY: '4' }).start({});
  });

  afterAll(() => stack?.stop());

  it('a session-manager that fails is called again until it works; the problem shows meanwhile', IN_TURN, async () => {
    const { uuid } = await stack.create('ada');
    await stack.fault({ call: 'sleep', uuid, times: 3, fault: { status: 500 } });
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await waitFor('a problem shows', async () => ((await stack.call('GET', `/v1/sessions/${uuid}`)).body.problem?.failures ?? 0) >= 1);
    await stack.until(uuid, 'sleeping');
    expect(await stack.calls(uuid, 'sleep')).toHaveLength(4);
    expect((await stack.call('GET', `/v1/sessions/${uuid}`)).body.problem).toBeNull();
  });

  it('after Redis came back with older data a ping wakes at once what the record takes to be awake, and a chat waits for it', {
    ...IN_TURN,
    timeout: 60_000,
  }, async () => {
    const sessions = await Promise.all(['ada', 'grace', 'idle'].map((user) => stack.create(user)));
    const [pinged, chatting, silent] = sessions.map(({ uuid }) => uuid);
    // Simulates what Redis has lost: the pods of all three were put to sleep.
    for (const { uuid } of sessions) await stack.sim('POST', `/session/${uuid}/sleep`);
    await askRedis(redis, (client) => client.hset(`{${stack.prefix}:0}:ingest`, 'rewound', Date.now()));
    const at = Date.now();
    expect((await stack.ping(pinged!)).status).toBe('waking');
    await waitFor('it is woken', async () => (await stack.calls(pinged!, 'wake')).length > 0);
    expect(running.between(at, (await stack.calls(pinged!, 'wake'))[0]!.at)).toBeLessThan(1_000);
    const answer = await stack.call<{ reply: string }>('POST', `/v1/sessions/${chatting}/chat`, { message: 'hello' });
    expect(answer).toMatchObject({ status: 200, body: { reply: 'hello' } });
    expect((await stack.calls(chatting!)).map(({ call }) => call)).toEqual(['create', 'sleep', 'wake', 'chat']);
    // The sweep finds the session that sends nothing.
    await waitFor('the sweep finds it', async () => (await stack.calls(silent!, 'wake')).length > 0, 40_000);
  });

  // Last, because it makes every sleep call hang from then on.
  it('wakes are not stuck behind sleeps that hang', IN_TURN, async () => {
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    await stack.fault({ call: 'sleep', fault: { hang: true } });
    const others = await Promise.all(Array.from({ length: 12 }, (_, i) => stack.create(`other-${i}`)));
    await Promise.all(others.map((other) => stack.call('POST', `/v1/sessions/${other.uuid}/sleep`)));
    await waitFor(
      'sleeps hang',
      async () => (await Promise.all(others.map((other) => stack.calls(other.uuid, 'sleep')))).flat().length >= 3,
    );
    const woken = await stack.call('POST', `/v1/sessions/${uuid}/wake?wait=2s`);
    expect(woken).toMatchObject({ status: 200, body: { status: 'active' } });
  });
});

it('a sleep that times out and lands after the wake is found out, and the user’s pod woken', SIDE_BY_SIDE, async ({ onTestFinished }) => {
  const stack = new TestStack(redis.url, { SESSION_MANAGER_TIMEOUT: '500ms', LATE_EFFECT_BOUND: '1500ms' });
  onTestFinished(() => stack.stop());
  await stack.start({});
  const { uuid } = await stack.create('ada');
  await stack.fault({ call: 'sleep', uuid, times: 1, fault: { hang: true } });
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await waitFor('the sleep was sent', async () => (await stack.calls(uuid, 'sleep')).length === 1);
  await stack.ping(uuid);
  await waitFor('it was woken', async () => (await stack.calls(uuid, 'wake')).some(({ doneAt }) => doneAt > 0));
  // The sleep takes effect. After a fixed time it could do so before the wake on a busy machine.
  await stack.sim('POST', `/session/${uuid}/sleep`);
  await waitFor('it was woken twice', async () => (await stack.calls(uuid, 'wake')).length === 2);
  await stack.until(uuid, 'active');
  expect((await stack.calls(uuid, 'status')).length).toBeGreaterThan(0);
});
