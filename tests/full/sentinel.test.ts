import { askRedis, type SentinelRedis, startSentinel, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { START_MS, TestStack } from '../stack.ts';

let redis: SentinelRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await startSentinel();
  stack = await new TestStack(redis.url).start({});
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

it('the main job runs on the master that the sentinels name', async () => {
  const { uuid } = await stack.create('ada', { sleepAfter: '500ms', deleteAfter: '1h' });
  await stack.until(uuid, 'sleeping');
  // A long policy, so that it does not fall asleep again at once.
  await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' });
  expect((await stack.ping(uuid)).status).toBe('waking');
  await stack.until(uuid, 'active');
  await stack.call('POST', '/v1/users/ada/logout');
  await stack.until(uuid, 'deleted');
});

it('when the master is killed with kill -9, service resumes on the replica by itself', async () => {
  const { uuid } = await stack.create('ada', { sleepAfter: '10s', deleteAfter: '8s' });
  const ping = async () => (await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status;
  const former = await redis.master();
  // The replica has the session.
  await askRedis(former, async (client) => {
    await client.set('written', 'last');
    await client.wait(1, START_MS);
  });
  await former.kill();
  const seen = new Set<number>();
  let at = 0;
  await waitFor(
    'pings are taken again',
    async () => {
      at = Date.now();
      const status = await ping();
      seen.add(status);
      return status === 202;
      // Sentinels that stood still begin no failover for 30 s.
    },
    120_000,
  );
  expect(seen).toEqual(new Set([503, 202]));
  await waitFor('the first sentinel names the replica', async () => (await redis.master()) !== former, 60_000);
  await stack.until(uuid, 'deleted', 60_000);
  const calls = await stack.calls(uuid);
  expect(calls.map(({ call }) => call)).toEqual(['create', 'sleep', 'delete']);
  expect(calls[1]!.at - at).toBeGreaterThanOrEqual(10_000);
}, 300_000);

it('the processes end at SIGTERM with 0', async () => {
  for (const process of [stack.apis[0]!, stack.workers[0]!]) {
    process.kill('SIGTERM');
    expect(await process.exited).toBe(0);
    expect(process.stderr()).toBe('');
  }
});
