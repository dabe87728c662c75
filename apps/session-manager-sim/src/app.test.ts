import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { buildSim } from './app.ts';
import type { FaultRule } from './faults.ts';
import type { LoggedCall } from './pods.ts';

const KEY = 'a-sim-key';

/** Starts a simulation for one test, with helpers for its routes. */
class Sim implements AsyncDisposable {
  readonly app = buildSim({ apiKey: KEY });
  base = '';

  static async start(): Promise<Sim> {
    const sim = new Sim();
    await sim.app.listen({ host: '127.0.0.1', port: 0 });
    sim.base = `http://127.0.0.1:${(sim.app.server.address() as AddressInfo).port}`;
    return sim;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.app.close();
  }

  send(method: string, path: string, body?: unknown, init: RequestInit = {}): Promise<Response> {
    const content = body === undefined ? {} : { 'content-type': 'application/json' };
    return fetch(this.base + path, {
      method,
      headers: { 'x-api-key': KEY, 'idempotency-key': 'my-key', ...content },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...init,
    });
  }

  async json<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const answer = await this.send(method, path, body);
    return { status: answer.status, body: (await answer.json()) as T };
  }

  async create(): Promise<string> {
    return (await this.json<{ uuid: string }>('POST', '/session/create', { user_id: 'ada' })).body.uuid;
  }

  async replicas(uuid: string): Promise<unknown> {
    const { status, body } = await this.json('GET', `/session/${uuid}/status`);
    return status === 200 ? body.replicas : status;
  }

  async fault(rule: FaultRule): Promise<number> {
    const { status, body } = await this.json<{ id: number }>('POST', '/sim/faults', rule);
    expect(status).toBe(201);
    return body.id;
  }

  async callLog(): Promise<LoggedCall[]> {
    return (await this.json<{ items: LoggedCall[] }>('GET', '/sim/journal')).body.items;
  }
}

describe('the six calls', () => {
  it('a pod is created, sleeps, wakes and is deleted; each may be repeated', async () => {
    await using sim = await Sim.start();
    const created = await sim.json('POST', '/session/create', { user_id: 'ada' });
    expect(created).toMatchObject({
      status: 200,
      body: { uuid: expect.stringMatching(/^[a-z0-9]{8}$/), workspace_url: expect.any(String) },
    });
    const uuid = String(created.body.uuid);
    expect(await sim.replicas(uuid)).toBe(1);
    for (const [call, left] of [
      ['sleep', 0],
      ['sleep', 0],
      ['wake', 1],
      ['wake', 1],
    ] as const) {
      expect((await sim.send('POST', `/session/${uuid}/${call}`, {})).status).toBe(200);
      expect(await sim.replicas(uuid)).toBe(left);
    }
    expect((await sim.send('DELETE', `/session/${uuid}`)).status).toBe(200);
    for (const [method, path] of [
      ['POST', '/sleep'],
      ['POST', '/wake'],
      ['DELETE', ''],
      ['GET', '/status'],
      ['POST', '/chat'],
    ] as const) {
      const gone = await sim.json(method, `/session/${uuid}${path}`, method === 'POST' ? { message: 'hello' } : undefined);
      expect(gone).toEqual({ status: 404, body: { error: 'Session not found' } });
    }
  });

  it('a chat is echoed, streamed on request, and refused by a pod that sleeps', async () => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    const chat = (message: unknown) => sim.send('POST', `/session/${uuid}/chat`, { message });
    for (const message of ['hello', { text: 'hello' }, ['hello'], null, 7])
      expect(await (await chat(message)).json()).toEqual({ reply: message });
    const streamed = await chat({ stream: { chunks: 3, intervalMs: 20 } });
    expect(streamed.headers.get('content-type')).toMatch('text/plain');
    expect(await streamed.text()).toBe('chunk 1\nchunk 2\nchunk 3\n');
    await sim.send('POST', `/session/${uuid}/sleep`, {});
    expect((await chat('hello')).status).toBe(503);
  });

  it('only with the key, but for /healthz', async () => {
    await using sim = await Sim.start();
    expect((await fetch(`${sim.base}/healthz?deep=1`)).status).toBe(200);
    for (const path of ['/session/x/status', '/sim/journal', '/sim/faults', '/nowhere']) {
      expect((await sim.send('GET', path, undefined, { headers: { 'x-api-key': 'wrong' } })).status).toBe(401);
    }
    expect(await sim.callLog()).toEqual([]);
  });

  it.each([
    ['/session/create', {}, 'user_id'],
    ['/session/create', { user_id: 7 }, 'user_id'],
    ['/session/planted1/chat', {}, 'message'],
    ['/session/planted1/chat', { message: { stream: { chunks: 'all', intervalMs: 1 } } }, 'chunks'],
    ['/sim/pods', {}, 'uuid'],
    ['/sim/pods', { uuid: '../x' }, 'uuid'],
    ['/sim/faults', {}, 'fault'],
    ['/sim/faults', { fault: {} }, 'fault'],
    ['/sim/faults', { fault: { late: 5 } }, 'additional'],
    ['/sim/faults', { call: 'nap', fault: { status: 500 } }, 'call'],
    ['/sim/faults', { fault: { status: '500' } }, 'status'],
    ['/sim/faults', { every: 0, fault: { status: 500 } }, 'every'],
  ])('%s %j is refused with what is wrong', async (path, body, named) => {
    await using sim = await Sim.start();
    const { status, body: problem } = await sim.json('POST', path, body);
    expect(status).toBe(400);
    expect(problem.message).toContain(named);
  });
});

it.concurrent('a pod can be planted without a create, and all pods can be listed', async () => {
  await using sim = await Sim.start();
  expect((await sim.send('POST', '/sim/pods', { uuid: 'planted1', userId: 'ada', replicas: 0 })).status).toBe(201);
  expect(await sim.replicas('planted1')).toBe(0);
  await sim.send('POST', '/sim/pods', { uuid: 'planted2' });
  expect(await sim.replicas('planted2')).toBe(1);
  await sim.send('DELETE', '/session/planted2');
  const uuid = await sim.create();
  const { body } = await sim.json<{ items: unknown[] }>('GET', '/sim/pods');
  expect(body.items).toMatchObject([
    { uuid: 'planted1', userId: 'ada', replicas: 0 },
    { uuid, userId: 'ada', replicas: 1 },
  ]);
});

it.concurrent('the call log has each call, when it came and how it was answered', async () => {
  await using sim = await Sim.start();
  const from = Date.now();
  const uuid = await sim.create();
  await sim.send('POST', `/session/${uuid}/sleep`, {});
  await sim.send('DELETE', '/session/unknown');
  const items = await sim.callLog();
  expect(items).toMatchObject([
    { call: 'create', uuid, status: 200, idempotencyKey: 'my-key' },
    { call: 'sleep', uuid, status: 200 },
    { call: 'delete', uuid: 'unknown', status: 404 },
  ]);
  for (const { at, doneAt } of items) {
    expect(at).toBeGreaterThanOrEqual(from);
    expect(doneAt).toBeGreaterThanOrEqual(at);
  }
  await sim.send('DELETE', '/sim/journal');
  expect(await sim.callLog()).toEqual([]);
});

it.concurrent('the call log has when a call took effect, and when its caller was lost', async ({ expect }) => {
  await using sim = await Sim.start();
  const uuid = await sim.create();
  const entry = async () => (await sim.callLog()).findLast(({ call }) => call === 'sleep');
  await sim.send('POST', `/session/${uuid}/sleep`, {});
  const plain = await entry();
  expect(plain!.effectAt).toBeGreaterThanOrEqual(plain!.at);
  expect(plain!.effectAt).toBeLessThanOrEqual(plain!.doneAt);
  expect(plain!.lostAt).toBe(0);

  await sim.fault({ call: 'sleep', times: 1, fault: { lateMs: 1_000, hang: true } });
  await sim.send('POST', `/session/${uuid}/sleep`, {}, { signal: AbortSignal.timeout(500) }).catch(() => {});
  await expect.poll(async () => Math.min((await entry())!.effectAt, (await entry())!.lostAt), { timeout: 10_000 }).toBeGreaterThan(0);
  const late = await entry();
  expect(late).toMatchObject({ status: 0, doneAt: 0 });
  expect(late!.lostAt).toBeGreaterThanOrEqual(late!.at);
  expect(late!.effectAt).toBeGreaterThanOrEqual(late!.at + 990);

  await sim.fault({ call: 'sleep', times: 1, fault: { lateMs: 500 } });
  await sim.send('POST', `/session/${uuid}/sleep`, {});
  await sim.send('DELETE', `/session/${uuid}`);
  // The pod was deleted before the late call took effect.
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(await entry()).toMatchObject({ status: 504, effectAt: 0, lostAt: 0 });
});

// Run concurrently, because they mostly wait for delays.
describe.concurrent('faults', () => {
  it('strike the calls they name, as often as they say, instead of acting', async () => {
    await using sim = await Sim.start();
    const [uuid, other] = [await sim.create(), await sim.create()];
    const id = await sim.fault({ call: 'sleep', uuid, times: 2, fault: { status: 429, retryAfter: '7' } });
    expect((await sim.json('GET', '/sim/faults')).body).toEqual({
      items: [{ id, call: 'sleep', uuid, times: 2, fault: { status: 429, retryAfter: '7' } }],
    });
    const sleep = (of: string) => sim.send('POST', `/session/${of}/sleep`, {});
    expect((await sleep(other)).status).toBe(200);
    for (let i = 0; i < 2; i++) {
      const struck = await sleep(uuid);
      expect([struck.status, struck.headers.get('retry-after')]).toEqual([429, '7']);
    }
    expect(await sim.replicas(uuid)).toBe(1);
    expect((await sleep(uuid)).status).toBe(200);
  });

  it('strike one of so many calls, and what they leave is for the next that fits', async () => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    await sim.fault({ call: 'status', every: 3, fault: { status: 500 } });
    await sim.fault({ call: 'status', every: 2, times: 1, fault: { status: 502 } });
    const answers = [];
    for (let i = 0; i < 7; i++) answers.push(await sim.replicas(uuid));
    expect(answers).toEqual([500, 502, 1, 500, 1, 1, 500]);
    expect((await sim.json('GET', '/sim/faults')).body).toMatchObject({ items: [{ call: 'status', every: 3 }] });
  });

  it('last until they are removed', async () => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    const [first] = [
      await sim.fault({ call: 'status', fault: { status: 500 } }),
      await sim.fault({ call: 'status', fault: { status: 502 } }),
    ];
    expect(await sim.replicas(uuid)).toBe(500);
    expect((await sim.send('DELETE', `/sim/faults/${first}`)).status).toBe(200);
    expect((await sim.send('DELETE', `/sim/faults/${first}`)).status).toBe(404);
    expect(await sim.replicas(uuid)).toBe(502);
    await sim.send('DELETE', '/sim/faults');
    expect(await sim.replicas(uuid)).toBe(1);
  });

  it('delay before acting, and after it', async ({ expect }) => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    const sleep = () => sim.send('POST', `/session/${uuid}/sleep`, {});
    await sim.fault({ call: 'sleep', times: 1, fault: { delayMs: 1_500 } });
    const before = sleep();
    await expect.poll(async () => (await sim.callLog()).at(-1)?.call).toBe('sleep');
    expect(await sim.replicas(uuid)).toBe(1);
    expect((await before).status).toBe(200);
    await sim.send('POST', `/session/${uuid}/wake`, {});
    await sim.fault({ call: 'sleep', times: 1, fault: { afterMs: 1_500 } });
    let answered = false;
    const after = sleep().finally(() => {
      answered = true;
    });
    await expect.poll(() => sim.replicas(uuid)).toBe(0);
    expect(answered).toBe(false);
    expect((await after).status).toBe(200);
  });

  it.for([
    ['before', 1],
    ['after', 0],
  ] as const)('cut the connection %s acting', async ([cut, left], { expect }) => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    await sim.fault({ call: 'sleep', times: 1, fault: { cut } });
    await expect(sim.send('POST', `/session/${uuid}/sleep`, {})).rejects.toThrow();
    expect(await sim.replicas(uuid)).toBe(left);
    expect((await sim.callLog()).find(({ call }) => call === 'sleep')).toMatchObject({ status: 0 });
  });

  it('hang: no answer, no effect, and the simulation still closes', async ({ expect }) => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    await sim.fault({ call: 'sleep', fault: { hang: true } });
    await expect(sim.send('POST', `/session/${uuid}/sleep`, {}, { signal: AbortSignal.timeout(200) })).rejects.toThrow();
    expect(await sim.replicas(uuid)).toBe(1);
    const hanging = sim.send('POST', `/session/${uuid}/sleep`, {});
    const lost = expect(hanging).rejects.toThrow();
    await expect.poll(async () => (await sim.callLog()).filter(({ call }) => call === 'sleep').length).toBe(2);
    await sim.app.close();
    await lost;
  });

  it.for([
    ['answered 504', {}, 504],
    ['cut', { cut: 'before' }, 'lost'],
    ['hung up on', { hang: true }, 'lost'],
  ] as const)('a call that was %s lands late', async ([, how, seen], { expect }) => {
    await using sim = await Sim.start();
    const uuid = await sim.create();
    await sim.fault({ call: 'sleep', times: 1, fault: { lateMs: 400, ...how } });
    const signal = AbortSignal.timeout('hang' in how ? 100 : 5_000);
    const answer = await sim.send('POST', `/session/${uuid}/sleep`, {}, { signal }).catch(() => 'lost');
    expect(typeof answer === 'string' ? answer : answer.status).toBe(seen);
    expect(await sim.replicas(uuid)).toBe(1);
    await expect.poll(() => sim.replicas(uuid), { timeout: 5_000 }).toBe(0);
  });

  it('a create that was cut after acting leaves a pod that the call log names', async ({ expect }) => {
    await using sim = await Sim.start();
    await sim.fault({ call: 'create', times: 1, fault: { cut: 'after' } });
    await expect(sim.send('POST', '/session/create', { user_id: 'ada' })).rejects.toThrow();
    const [entry] = await sim.callLog();
    expect(await sim.replicas(entry?.uuid ?? '')).toBe(1);
  });
});
