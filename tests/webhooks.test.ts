import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyWebhook } from '@sandman/client/webhooks';
import { PolicyBook, rebirth } from '@sandman/core';
import { RedisSessionStore } from '@sandman/store';
import { type FoundRedis, freePort, redisForTests, startApp, waitFor } from '@sandman/testing';
import { Redis } from 'ioredis';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestStack, type View } from './stack.ts';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

interface Told {
  readonly at: number;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly session: View;
  readonly cause: string | undefined;
}

/** Whoever is told. Everything that it takes has a signature that the public library accepts, and our client. */
class Receiver {
  readonly told: Told[] = [];
  readonly refused: string[] = [];
  readonly errors: unknown[] = [];
  /** What it answers; null: nothing at all. */
  answer: () => number | null = () => 204;
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const status = this.answer();
      if (status === null) return;
      if (status < 300) this.#take(Buffer.concat(chunks).toString(), request.headers);
      else this.refused.push(String(request.headers['webhook-id']));
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  }

  #take(body: string, headers: IncomingHttpHeaders): void {
    try {
      const event = new Webhook(SECRET).verify(body, headers as Record<string, string>) as {
        type: string;
        timestamp: string;
        data: { session: View; cause?: string };
      };
      const { type, timestamp, data } = event;
      expect(verifyWebhook(body, headers, SECRET)).toEqual(event);
      this.told.push({ at: Date.now(), id: String(headers['webhook-id']), type, timestamp, ...data, cause: data.cause });
    } catch (error) {
      this.errors.push(error);
    }
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks?token=of-the-receiver`;
  }

  of(uuid: string): Told[] {
    return this.told.filter(({ session }) => session.uuid === uuid);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let redis: FoundRedis;
let receiver: Receiver;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
});
afterAll(() => redis?.stop());

beforeEach(async () => {
  receiver = new Receiver();
  stack = new TestStack(redis.url, { WEBHOOK_URL: await receiver.start(), WEBHOOK_SECRET: SECRET, SLEEP_WARNING: '1s' });
});
afterEach(async () => {
  await stack.stop();
  await receiver.stop();
  expect(receiver.errors).toEqual([]);
});

/** All that was told of a session, once each of these types is among it. */
const told = (uuid: string, ...types: string[]) =>
  waitFor(
    `told of ${types}`,
    () => {
      const all = receiver.of(uuid);
      return all.filter(({ type }) => types.includes(type)).length >= types.length ? all : null;
    },
    60_000,
  );

describe('what happens to a session', () => {
  it('is told, signed, with the session and the cause: slept, woken, deleted', async () => {
    await stack.start({});
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await told(uuid, 'session.slept');
    await stack.ping(uuid);
    await told(uuid, 'session.woken');
    await stack.call('POST', '/v1/users/ada/logout');
    const all = await told(uuid, 'session.slept', 'session.woken', 'session.deleted');
    expect(all.map(({ type, cause, session }) => [type, cause, session.status])).toEqual([
      ['session.slept', 'manual', 'sleeping'],
      ['session.woken', 'activity', 'active'],
      ['session.deleted', 'logout', 'deleted'],
    ]);
    expect(all.every(({ session }) => session.userId === 'ada')).toBe(true);
  });

  it('a pod that the session-manager has lost is gone', async () => {
    await stack.start({});
    const { uuid } = await stack.create('loser');
    await stack.sim('DELETE', `/session/${uuid}`);
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    expect((await told(uuid, 'session.gone')).map(({ type, cause }) => [type, cause])).toEqual([['session.gone', 'gone']]);
  });

  it('a wake of what only was in doubt is not told: it was awake all the while', async () => {
    await stack.start({});
    const { uuid } = await stack.create('ada');
    const client = new Redis(redis.url);
    await client.hset(`{${stack.prefix}:0}:ingest`, 'rewound', Date.now());
    client.disconnect();
    expect((await stack.ping(uuid)).status).toBe('waking');
    await stack.until(uuid, 'active');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    expect((await told(uuid, 'session.slept')).map(({ type }) => type)).toEqual(['session.slept']);
  });

  it('what came back from the ledger as it was is not told', async () => {
    await stack.start({});
    const client = new Redis(redis.url);
    const store = new RedisSessionStore(client, { prefix: stack.prefix, shards: 1, slack: 1 });
    const policy = new PolicyBook().default;
    for (const [uuid, status] of [
      ['sleeper1', 'sleeping'],
      ['awake001', 'active'],
    ] as const) {
      await stack.sim('POST', '/sim/pods', { uuid, userId: 'ada', replicas: status === 'active' ? 1 : 0 });
      const { now } = await store.read(uuid);
      const past = { userId: 'ada', workspaceUrl: '', policy, status, createdAt: now, lastActivity: now, sleptAt: null };
      const ingest = { beat: 0, floor: 0, lost: 0, rewound: 0, warning: 0 };
      const patch = rebirth(past, status === 'active' ? 'unread' : 'asleep', { now, ingest, doubt: 60_000, outage: 0 });
      await store.commit(uuid, null, { patch, alarms: true });
    }
    client.disconnect();
    await stack.until('awake001', 'active');
    for (const uuid of ['sleeper1', 'awake001']) await stack.call('DELETE', `/v1/sessions/${uuid}`);
    for (const uuid of ['sleeper1', 'awake001']) {
      expect((await told(uuid, 'session.deleted')).map(({ type }) => type)).toEqual(['session.deleted']);
    }
  });

  it('is told again, with the same id, to a receiver that fails, or sends elsewhere', async () => {
    await stack.start({});
    const answers = [500, 302];
    receiver.answer = () => answers.shift() ?? 200;
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    const [slept] = await told(uuid, 'session.slept');
    expect(receiver.refused).toEqual([slept!.id, slept!.id]);
  }, 90_000);

  it('is told though the worker is killed that was about to', async () => {
    await stack.start({});
    receiver.answer = () => null;
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    await waitFor('it is taken up', async () =>
      /"session.slept"|sandman_webhook_backlog 1/.test(await (await fetch(`${stack.ops[0]}/metrics`)).text()),
    );
    stack.workers[0]!.kill('SIGKILL');
    receiver.answer = () => 200;
    await stack.addWorker();
    expect((await told(uuid, 'session.slept')).length).toBeGreaterThan(0);
  }, 90_000);
});

describe('a receiver that is down', () => {
  it.each([
    ['answers nothing', () => null],
    ['refuses', () => 503],
  ])('and %s slows no sleep', async (_, answer) => {
    receiver.answer = answer;
    await stack.start({});
    const before = await Promise.all(Array.from({ length: 40 }, (_, i) => stack.create(`early-${i}`)));
    await Promise.all(before.map(({ uuid }) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
    for (const { uuid } of before) await stack.until(uuid, 'sleeping');
    const policy = { sleepAfter: '1s', deleteAfter: '1h' };
    const sessions = await Promise.all(Array.from({ length: 20 }, (_, i) => stack.create(`late-${i}`, policy)));
    for (const { uuid } of sessions) await stack.until(uuid, 'sleeping');
    for (const { uuid, sleepAt } of sessions) {
      const [sleep] = await stack.calls(uuid, 'sleep');
      expect(sleep!.at - Date.parse(sleepAt!)).toBeLessThan(300);
    }
  });
});

describe('a warning', () => {
  const POLICY = { sleepAfter: '3s', deleteAfter: '1h' };

  it('comes SLEEP_WARNING before the sleep, once, with when it will be', async () => {
    await stack.start({ workers: 2 });
    const { uuid } = await stack.create('ada', POLICY);
    const { sleepAt } = await stack.ping(uuid);
    const [warning, slept] = await told(uuid, 'session.sleep-warning', 'session.slept');
    expect(warning).toMatchObject({ type: 'session.sleep-warning', session: { sleepAt, status: 'active' }, cause: undefined });
    expect(slept!.type).toBe('session.slept');
    const ahead = Date.parse(sleepAt!) - warning!.at;
    expect(ahead).toBeLessThanOrEqual(1_010);
    expect(ahead).toBeGreaterThan(500);
    expect(receiver.of(uuid)).toHaveLength(2);
  });

  it('is not sent when somebody comes before it; whoever comes after it gets another before the next sleep', async () => {
    await stack.start({ workers: 2 });
    const { uuid } = await stack.create('ada', POLICY);
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await stack.ping(uuid);
    }
    expect(receiver.of(uuid)).toEqual([]);
    await told(uuid, 'session.sleep-warning');
    const { sleepAt } = await stack.ping(uuid);
    const all = await told(uuid, 'session.sleep-warning', 'session.sleep-warning', 'session.slept');
    expect(all.map(({ type }) => type)).toEqual(['session.sleep-warning', 'session.sleep-warning', 'session.slept']);
    expect(all[1]!.session.sleepAt).toBe(sleepAt);
    expect((await stack.calls(uuid, 'sleep')).length).toBe(1);
  });

  it('that could not be delivered before somebody came is not delivered later', async () => {
    await stack.start({});
    receiver.answer = () => 500;
    const { uuid } = await stack.create('ada', POLICY);
    await waitFor('it was tried', () => receiver.refused.length > 0);
    await stack.ping(uuid);
    await stack.call('POST', `/v1/sessions/${uuid}/hold`, { for: '1h' });
    const { length } = receiver.refused;
    receiver.answer = () => 200;
    await waitFor('it is void', async () => /outcome="void"} 1/.test(await (await fetch(`${stack.ops[0]}/metrics`)).text()), 20_000);
    expect(receiver.of(uuid)).toEqual([]);
    expect(receiver.refused).toHaveLength(length);
  });

  it('is none where the policy is shorter than twice SLEEP_WARNING', async () => {
    await stack.start({});
    const { uuid } = await stack.create('ada', { sleepAfter: '1900ms', deleteAfter: '1h' });
    expect((await told(uuid, 'session.slept')).map(({ type }) => type)).toEqual(['session.slept']);
  });

  it('leaves no alarm behind that the sweep would have to mend', async () => {
    await stack.start({});
    // Longer than what the sweep bears with: an alarm that stands at its warning must not look late, nor one past it.
    const { uuid } = await stack.create('ada', { sleepAfter: '3s', deleteAfter: '1h' });
    await told(uuid, 'session.sleep-warning', 'session.slept');
    const metrics = await (await fetch(`${stack.ops[0]}/metrics`)).text();
    expect(metrics).not.toMatch(/sandman_sweep_repairs_total\{/);
    // Nor does an alarm that stops for it ring early: there was something to do.
    expect(metrics).not.toMatch(/sandman_alarms_early_total\{alarm="sleep"\}/);
  });
});

describe('the environment', () => {
  const start = async (env: Record<string, string>) => {
    const worker = startApp('worker', {
      REDIS_URL: redis.url,
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'x',
      METRICS_PORT: `${await freePort()}`,
      ...env,
    });
    return { code: await worker.exited, said: worker.stderr() };
  };

  it.each([
    [{ WEBHOOK_URL: 'http://127.0.0.1:1/x' }, 'WEBHOOK_SECRET is missing'],
    [{ WEBHOOK_URL: 'http://127.0.0.1:1/x', WEBHOOK_SECRET: 'whsec_c2hvcnQ=' }, 'WEBHOOK_SECRET is malformed'],
    [{ WEBHOOK_URL: 'http://127.0.0.1:1/x', WEBHOOK_SECRET: 'not base64, but long enough to be one' }, 'WEBHOOK_SECRET is malformed'],
    [{ WEBHOOK_URL: 'http://user:password@127.0.0.1:1/x', WEBHOOK_SECRET: SECRET }, 'WEBHOOK_URL is malformed'],
    [{ WEBHOOK_URL: 'ftp://127.0.0.1/x', WEBHOOK_SECRET: SECRET }, 'WEBHOOK_URL is malformed'],
    [{ SLEEP_WARNING: 'soon' }, 'SLEEP_WARNING is malformed'],
  ])('%j ends it with 2 and one line', async (env, line) => {
    const { code, said } = await start(env);
    expect(code).toBe(2);
    expect(said).toMatch(new RegExp(`^worker: ${line}: it must be [^\\n]+\\n$`));
    if ('WEBHOOK_SECRET' in env) expect(said).not.toContain(env.WEBHOOK_SECRET);
  });

  it('neither the secret nor the address of the receiver is ever written', async () => {
    receiver.answer = () => 500;
    await stack.start({});
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await waitFor('it was tried', () => receiver.refused.length > 0);
    const [worker] = stack.workers;
    await waitFor('the worker says so', () => /was not taken/.test(worker!.stdout()));
    const said = worker!.stdout() + worker!.stderr() + (await (await fetch(`${stack.ops[0]}/metrics`)).text());
    for (const secret of [SECRET, SECRET.slice(6), 'of-the-receiver']) expect(said).not.toContain(secret);
  });
});
