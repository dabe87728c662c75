import { AlarmQueues } from '@sandman/queue';
import { RedisRoster, RedisSessionStore, RedisTrend } from '@sandman/store';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

let found: FoundRedis;
let redis: Redis;
let stack: TestStack;
let roster: RedisRoster;

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url, { maxRetriesPerRequest: null });
  stack = await new TestStack(found.url).start({ workers: 2 });
  roster = new RedisRoster(redis, stack.prefix);
});

afterAll(async () => {
  await stack?.stop();
  redis?.disconnect();
  await found?.stop();
});

const pids = async () => (await roster.workers()).map(({ pid }) => pid).sort();

it('workers are known as long as they live: one that is told to stop signs off, one that is killed is missed', async () => {
  const [one, two] = stack.workers;
  await waitFor('both have reported', async () => (await pids()).length === 2);
  expect(await pids()).toEqual([one!.pid, two!.pid].sort());
  one!.kill('SIGTERM');
  expect(await one!.exited).toBe(0);
  expect(await pids()).toEqual([two!.pid]);
  two!.kill('SIGKILL');
  await two!.exited;
  const silent = await waitFor('it is not heard of any more', async () =>
    (await roster.workers()).find(({ pid, seenAgo }) => pid === two!.pid && seenAgo > 4_000),
  );
  expect(silent.trouble).toBeNull();
});

it('what the sweep had to mend is told, and that it goes round', async () => {
  const { uuid } = await stack.create('unlucky', 'balanced');
  const { record } = await new RedisSessionStore(redis, { prefix: stack.prefix, shards: 1, slack: 1 }).read(uuid);
  const alarms = new AlarmQueues(redis, stack.prefix, 1, () => {});
  await alarms.disarm(uuid, record!.n, ['sleep', 'delete']);
  await stack.addWorker();
  const repair = await waitFor('it is mended', async () => (await roster.repairs()).find((one) => one.uuid === uuid), 25_000);
  expect(repair).toMatchObject({ kind: 'missing', count: 1 });
  await waitFor('a visit of the sweep', async () => (await roster.workers()).find(({ sweptAgo }) => sweptAgo !== null));
  await alarms.close();
}, 60_000);

it('how many pods there are is written down', async () => {
  const [sample] = await waitFor('a sample', async () => {
    const samples = await new RedisTrend(redis, stack.prefix).since(3_600_000, 60);
    return samples.length > 0 ? samples : null;
  });
  expect(Object.keys(sample!)).toEqual(['at', 'awake', 'asleep', 'awakeMs', 'alwaysOnMs']);
});
