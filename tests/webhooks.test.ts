import { NEW_INTAKE, PolicySet, restoredRecord, shardTag } from '@sandman/core';
import { type FoundRedis, freePort, redisForTests, startApp, waitFor } from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { SECRET } from './webhook-receiver.ts';
import { metricsOf, useStack } from './webhook-stack.ts';

// The tests of a stack are concurrent, because each waits for a session of its own.
vi.setConfig({ maxConcurrency: 20 });

let redis: FoundRedis;

beforeAll(async () => {
  redis = await redisForTests();
});
afterAll(() => redis?.stop());

/** For tests that change settings for all sessions. */
const alone = useStack(() => redis.url, 1);

describe.concurrent('a stack that many sessions share', () => {
  const on = useStack(() => redis.url, 2);
  const { receiver } = on;
  let client: Redis;
  /** The queue where deliveries wait. */
  let queue: Queue;

  beforeAll(() => {
    client = new Redis(redis.url);
    queue = new Queue('webhook', { connection: client, prefix: shardTag(on.stack.prefix, 0) });
  });
  afterAll(async () => {
    await queue?.close();
    client?.disconnect();
  });

  it('every change is delivered, signed, with the session and the cause: slept, woken, deleted', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await receiver.untilDelivered(uuid, 'session.slept');
    await stack.ping(uuid);
    await receiver.untilDelivered(uuid, 'session.woken');
    await stack.call('POST', '/v1/users/ada/logout');
    const all = await receiver.untilDelivered(uuid, 'session.slept', 'session.woken', 'session.deleted');
    expect(all.map(({ type, cause, session }) => [type, cause, session.status])).toEqual([
      ['session.slept', 'manual', 'sleeping'],
      ['session.woken', 'activity', 'active'],
      ['session.deleted', 'logout', 'deleted'],
    ]);
    expect(all.every(({ session }) => session.userId === 'ada')).toBe(true);
  });

  it('a pod that the session-manager has lost is gone', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('loser');
    await stack.sim('DELETE', `/session/${uuid}`);
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    const all = await receiver.untilDelivered(uuid, 'session.gone');
    expect(all.map(({ type, cause }) => [type, cause])).toEqual([['session.gone', 'gone']]);
  }, 90_000);

  it('the status that a session has when it comes back from the ledger is not delivered', async () => {
    const { stack } = on;
    const store = new RedisSessionStore(client, { prefix: stack.prefix, shards: 1, slack: 1 });
    const policy = new PolicySet().default;
    for (const [uuid, status] of [
      ['sleeper1', 'sleeping'],
      ['awake001', 'active'],
    ] as const) {
      await stack.sim('POST', '/sim/pods', { uuid, userId: 'returned', replicas: status === 'active' ? 1 : 0 });
      const { now } = await store.read(uuid);
      const past = { userId: 'returned', workspaceUrl: '', policy, status, createdAt: now, lastActivity: now, sleptAt: null, keepUntil: 0 };
      const patch = restoredRecord(past, status === 'active' ? 'unread' : 'asleep', { now, intake: NEW_INTAKE, doubt: 60_000, outage: 0 });
      await store.commit(uuid, null, { patch, alarms: true });
    }
    await stack.until('awake001', 'active');
    for (const uuid of ['sleeper1', 'awake001']) await stack.call('DELETE', `/v1/sessions/${uuid}`);
    for (const uuid of ['sleeper1', 'awake001']) {
      const all = await receiver.untilDelivered(uuid, 'session.deleted');
      expect(all.map(({ type }) => type)).toEqual(['session.deleted']);
    }
  });

  it('a delivery that is refused or redirected is tried again with the same id, after a longer wait each time', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('retried');
    const answers = [500, 302];
    receiver.answers.set(uuid, () => answers.shift() ?? 200);
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await waitFor('the second try, 4 to 5 s after the first', () => receiver.refusedOf(uuid).length === 2);
    const [id] = receiver.refusedOf(uuid);
    await waitFor('it waits for the third', async () => (await queue.getJobState(id!)) === 'delayed');
    const job = (await queue.getJob(id!))!;
    expect(job.delay).toBeGreaterThanOrEqual(7_500);
    expect(job.delay).toBeLessThanOrEqual(10_000);
    await job.promote();
    const [slept] = await receiver.untilDelivered(uuid, 'session.slept');
    expect(receiver.refusedOf(uuid)).toEqual([slept!.id, slept!.id]);
  });
});

describe.concurrent('a stack whose worker is killed', () => {
  const on = useStack(() => redis.url, 1);
  const { receiver } = on;

  it('a delivery that a killed worker had begun is made again by another, with the same id', async () => {
    const { stack } = on;
    receiver.answer = () => null;
    const { uuid } = await stack.create('ada');
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    const [begun] = await waitFor('it is begun', () => (receiver.unanswered.length > 0 ? receiver.unanswered : null));
    stack.workers[0]!.kill('SIGKILL');
    receiver.answer = () => 200;
    await stack.addWorker();
    const [slept] = await receiver.untilDelivered(uuid, 'session.slept');
    expect(begun).toEqual({ id: slept!.id, uuid });
  });
});

describe.concurrent('a stack of one test at a time', () => {
  describe('in turn', { concurrent: false }, () => {
    const { receiver } = alone;

    beforeEach(() => {
      receiver.answer = () => 204;
    });

    it('the wake of a session that was only in doubt is not delivered: its pod was awake all the while', async () => {
      const { stack } = alone;
      const { uuid } = await stack.create('doubted');
      const client = new Redis(redis.url);
      await client.hset(`{${stack.prefix}:0}:ingest`, 'rewound', Date.now());
      client.disconnect();
      expect((await stack.ping(uuid)).status).toBe('waking');
      await stack.until(uuid, 'active');
      await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
      const all = await receiver.untilDelivered(uuid, 'session.slept');
      expect(all.map(({ type }) => type)).toEqual(['session.slept']);
    });

    it('neither the secret nor the address of the receiver is ever written', async () => {
      const { stack } = alone;
      receiver.answer = () => 500;
      const { uuid } = await stack.create('bob');
      await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
      const [id] = await waitFor('it was tried', () => (receiver.refusedOf(uuid).length > 0 ? receiver.refusedOf(uuid) : null));
      const worker = stack.workers[0]!;
      const isRefusal = (line: string) => line.includes(id!) && /was not taken/.test(line);
      await waitFor('the worker logs it', () => worker.stdout().split('\n').some(isRefusal));
      const written = worker.stdout() + worker.stderr() + (await metricsOf(stack));
      for (const secret of [SECRET, SECRET.slice(6), 'of-the-receiver']) expect(written).not.toContain(secret);
    });
  });
});

describe.concurrent('the environment', () => {
  const start = async (env: Record<string, string>) => {
    const worker = startApp('worker', {
      REDIS_URL: redis.url,
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'x',
      METRICS_PORT: `${await freePort()}`,
      ...env,
    });
    return { code: await worker.exited, stderr: worker.stderr() };
  };

  it.each([
    [{ WEBHOOK_URL: 'http://127.0.0.1:1/x' }, 'WEBHOOK_SECRET is missing'],
    [{ WEBHOOK_URL: 'http://127.0.0.1:1/x', WEBHOOK_SECRET: 'whsec_c2hvcnQ=' }, 'WEBHOOK_SECRET is malformed'],
    [{ WEBHOOK_URL: 'http://127.0.0.1:1/x', WEBHOOK_SECRET: 'not base64, but long enough to be one' }, 'WEBHOOK_SECRET is malformed'],
    [{ WEBHOOK_URL: 'http://user:password@127.0.0.1:1/x', WEBHOOK_SECRET: SECRET }, 'WEBHOOK_URL is malformed'],
    [{ WEBHOOK_URL: 'ftp://127.0.0.1/x', WEBHOOK_SECRET: SECRET }, 'WEBHOOK_URL is malformed'],
    [{ SLEEP_WARNING: 'soon' }, 'SLEEP_WARNING is malformed'],
    [{ DELETE_WARNING: 'soon' }, 'DELETE_WARNING is malformed'],
  ])('%j ends it with 2 and one line', async (env, line) => {
    const { code, stderr } = await start(env);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^worker: ${line}: it must be [^\\n]+\\n$`));
    if ('WEBHOOK_SECRET' in env) expect(stderr).not.toContain(env.WEBHOOK_SECRET);
  });
});
