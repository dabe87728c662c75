import { shardTag } from '@sandman/core';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { metricsOf, useStack } from './webhook-stack.ts';

// The tests of a stack are concurrent, because each waits for a session of its own.
vi.setConfig({ maxConcurrency: 20 });

let redis: FoundRedis;

beforeAll(async () => {
  redis = await redisForTests();
});
afterAll(() => redis?.stop());

/** The warning comes after 1.5 s, the sleep after 3 s. */
const POLICY = { sleepAfter: '3s', deleteAfter: '1h' };

describe.concurrent('warnings of many sessions', () => {
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

  it('a warning comes SLEEP_WARNING before the sleep, once, with when it will be', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('warned', { sleepAfter: '5s', deleteAfter: '1h' });
    const { sleepAt } = await stack.ping(uuid);
    const [warning, slept] = await receiver.untilDelivered(uuid, 'session.sleep-warning', 'session.slept');
    expect(warning).toMatchObject({ type: 'session.sleep-warning', session: { sleepAt, status: 'active' }, cause: undefined });
    expect(slept!.type).toBe('session.slept');
    const ahead = Date.parse(sleepAt!) - warning!.at;
    expect(ahead).toBeLessThanOrEqual(1_510);
    expect(ahead).toBeGreaterThan(1_000);
    expect(receiver.deliveriesOf(uuid)).toHaveLength(2);
  });

  it('a ping before the warning prevents it; a ping after it brings another before the next sleep', async () => {
    const { stack } = on;
    const created = await stack.create('pinging', POLICY);
    const { uuid } = created;
    let last = Date.parse(created.lastActivity);
    await waitFor('pings go past the first deadline', async () => {
      if (Date.now() - last > 300) last = Date.parse((await stack.ping(uuid)).lastActivity);
      return last > Date.parse(created.sleepAt!);
    });
    expect(receiver.deliveriesOf(uuid)).toEqual([]);
    await receiver.untilDelivered(uuid, 'session.sleep-warning');
    const { sleepAt } = await stack.ping(uuid);
    const all = await receiver.untilDelivered(uuid, 'session.sleep-warning', 'session.sleep-warning', 'session.slept');
    expect(all.map(({ type }) => type)).toEqual(['session.sleep-warning', 'session.sleep-warning', 'session.slept']);
    expect(all[1]!.session.sleepAt).toBe(sleepAt);
    expect((await stack.calls(uuid, 'sleep')).length).toBe(1);
  });

  it('a warning that could not be delivered before a ping is not delivered later', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('unwarned', POLICY);
    receiver.answers.set(uuid, () => 500);
    await waitFor('it was tried', () => receiver.refusedOf(uuid).length > 0);
    await stack.ping(uuid);
    await stack.call('POST', `/v1/sessions/${uuid}/hold`, { for: '1h' });
    const refused = receiver.refusedOf(uuid);
    receiver.answers.delete(uuid);
    await waitFor('its delivery has ended', async () => !(await queue.getJob(refused[0]!)), 20_000);
    expect(await metricsOf(stack)).toMatch(/\{type="session.sleep-warning",outcome="void"} 1\n/);
    expect(receiver.deliveriesOf(uuid)).toEqual([]);
    expect(receiver.refusedOf(uuid)).toEqual(refused);
  });

  it('a warning comes DELETE_WARNING before an idle delete, once, with when it will be', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('forgotten', { sleepAfter: '200ms', deleteAfter: '3s' });
    await stack.until(uuid, 'sleeping');
    const { deleteAt } = (await stack.call('GET', `/v1/sessions/${uuid}`)).body;
    const all = await receiver.untilDelivered(uuid, 'session.slept', 'session.delete-warning', 'session.deleted');
    expect(all.map(({ type }) => type)).toEqual(['session.slept', 'session.delete-warning', 'session.deleted']);
    expect(all[1]).toMatchObject({ session: { deleteAt, status: 'sleeping' }, cause: undefined });
    const ahead = Date.parse(deleteAt!) - all[1]!.at;
    expect(ahead).toBeLessThanOrEqual(1_010);
    expect(ahead).toBeGreaterThan(500);
  });

  it('a user who comes back after that warning is warned again before the next delete; a requested delete has no warning', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('reminded', { sleepAfter: '200ms', deleteAfter: '3s' });
    await receiver.untilDelivered(uuid, 'session.slept', 'session.delete-warning');
    await stack.ping(uuid);
    const types = ['session.slept', 'session.delete-warning', 'session.woken', 'session.slept', 'session.delete-warning'] as const;
    const all = await receiver.untilDelivered(uuid, ...types);
    expect(all.map(({ type }) => type)).toEqual(types);
    await stack.call('DELETE', `/v1/sessions/${uuid}?grace=1500ms`);
    const ended = await receiver.untilDelivered(uuid, ...types, 'session.deleted');
    expect(ended.at(-1)).toMatchObject({ type: 'session.deleted', cause: 'manual' });
    expect(ended).toHaveLength(types.length + 1);
  });

  it('there is no warning where the policy is shorter than twice SLEEP_WARNING', async () => {
    const { stack } = on;
    const { uuid } = await stack.create('short', { sleepAfter: '1900ms', deleteAfter: '1h' });
    const all = await receiver.untilDelivered(uuid, 'session.slept');
    expect(all.map(({ type }) => type)).toEqual(['session.slept']);
  });
});

describe('the warning of one session', () => {
  const alone = useStack(() => redis.url, 1);

  it('a warning leaves no alarm behind that the sweep would have to repair', async () => {
    const { receiver, stack } = alone;
    // An alarm that waits for its warning must not look late, nor one that is past it.
    const { uuid } = await stack.create('ada', POLICY);
    await receiver.untilDelivered(uuid, 'session.sleep-warning', 'session.slept');
    const metrics = await metricsOf(stack);
    expect(metrics).not.toMatch(/sandman_sweep_repairs_total\{.*\} [1-9]/);
    // An alarm that stops for the warning does not count as early, because there was something to do.
    expect(metrics).not.toMatch(/sandman_alarms_early_total\{alarm="sleep"\} [1-9]/);
  });
});
