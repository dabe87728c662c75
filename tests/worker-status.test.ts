import { AlarmQueues } from '@sandman/queue';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { RedisPodSamples, RedisSessionStore, RedisWorkerRegistry } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

let found: FoundRedis;
let redis: Redis;
let stack: TestStack;
/** Starts without a worker: the first worker sweeps at once, another one up to 5 s later. */
let unswept: TestStack;

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url, { maxRetriesPerRequest: null });
  stack = new TestStack(found.url);
  unswept = new TestStack(found.url);
  await Promise.all([stack.start({ workers: 2 }), unswept.start({ workers: 0 })]);
});

afterAll(async () => {
  await Promise.all([stack?.stop(), unswept?.stop()]);
  redis?.disconnect();
  await found?.stop();
});

describe.concurrent('operators are told', () => {
  it('of workers as long as they live: one that is told to stop signs off, one that is killed is missed', async () => {
    const registry = new RedisWorkerRegistry(redis, stack.prefix);
    const pids = async () => (await registry.workers()).map(({ pid }) => pid).sort();
    const [one, two] = stack.workers;
    await waitFor('both have reported', async () => (await pids()).length === 2);
    expect(await pids()).toEqual([one!.pid, two!.pid].sort());
    one!.kill('SIGTERM');
    expect(await one!.exited).toBe(0);
    expect(await pids()).toEqual([two!.pid]);
    two!.kill('SIGKILL');
    await two!.exited;
    const silent = await waitFor('it is not heard of any more', async () =>
      (await registry.workers()).find(({ pid, seenAgo }) => pid === two!.pid && seenAgo > 4_000),
    );
    expect(silent.trouble).toBeNull();
  });

  it('of what the sweep had to mend, and that it goes round', async () => {
    const { uuid } = await unswept.create('unlucky', 'balanced');
    const { record } = await new RedisSessionStore(redis, { prefix: unswept.prefix, shards: 1, slack: 1 }).read(uuid);
    const alarms = new AlarmQueues(redis, unswept.prefix, 1, () => {});
    const registry = new RedisWorkerRegistry(redis, unswept.prefix);
    await alarms.disarm(uuid, record!.n, ['sleep', 'delete']);
    await unswept.addWorker();
    const repair = await waitFor('it is mended', async () => (await registry.repairs()).find((one) => one.uuid === uuid), 25_000);
    expect(repair).toMatchObject({ kind: 'missing', count: 1 });
    await waitFor('a visit of the sweep', async () => (await registry.workers()).find(({ sweptAgo }) => sweptAgo !== null));
    await alarms.close();
  });

  it('of how many pods there are', async () => {
    const [sample] = await waitFor('a sample', async () => {
      const samples = await new RedisPodSamples(redis, stack.prefix).since(3_600_000, 60);
      return samples.length > 0 ? samples : null;
    });
    expect(Object.keys(sample!)).toEqual(['at', 'awake', 'asleep', 'awakeMs', 'alwaysOnMs']);
  });
});
