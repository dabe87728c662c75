import { connectRedis } from '@sandman/runtime';
import { startRedis, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { AlarmQueues } from './alarm-queues.ts';

it('queues that are opened while Redis is frozen work once it answers', async ({ onTestFinished }) => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const redis = connectRedis(
    { kind: 'single', server: { host: '127.0.0.1', port: server.port }, database: 0, tls: false, login: null },
    'request',
    () => {},
  );
  onTestFinished(() => redis.disconnect());
  await waitFor('the connection', () => redis.status === 'ready');
  process.kill(server.pid(), 'SIGSTOP');
  const alarms = new AlarmQueues(redis, 'test', 1, () => {});
  const [sleepAt, wakeAt] = [Date.now() + 60_000, Date.now()];
  try {
    await expect(alarms.arm('a', 1, [{ name: 'sleep', at: sleepAt }])).rejects.toThrow('Command timed out');
  } finally {
    process.kill(server.pid(), 'SIGCONT');
  }
  await waitFor('Redis answers', () => redis.ping().catch(() => null));
  await alarms.arm('a', 2, [
    { name: 'sleep', at: sleepAt },
    { name: 'wake', at: wakeAt },
  ]);
  expect(await alarms.rings({ uuid: 'a', name: 'sleep', n: 2 })).toBe(sleepAt);
  expect(await alarms.rings({ uuid: 'a', name: 'wake', n: 2 })).toBe(0);
  expect(await alarms.rings({ uuid: 'a', name: 'delete', n: 2 })).toBeNull();
  expect(await alarms.backlog()).toEqual({ sleep: 0, delete: 0, wake: 1 });
});

it('a job is looked for without a read of the whole list, however many wait', async ({ onTestFinished }) => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const redis = new Redis(server.url);
  onTestFinished(() => redis.disconnect());
  const alarms = new AlarmQueues(redis, 'test', 1, () => {});
  await alarms.arm('a', 1, [{ name: 'wake', at: Date.now() }]);
  const [job] = await alarms.byShard[0]!.wake.getWaiting();
  await redis.config('RESETSTAT');
  expect(await job!.getState()).toBe('waiting');
  const stats = await redis.info('commandstats');
  expect(stats).toContain('cmdstat_lpos:');
  expect(stats).not.toContain('cmdstat_lrange:');
});
