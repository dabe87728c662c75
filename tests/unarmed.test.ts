import { newSession, PolicySet } from '@sandman/core';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

let found: FoundRedis;
let redis: Redis;
let stack: TestStack;

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url);
  stack = await new TestStack(found.url).start({});
});

afterAll(async () => {
  await stack?.stop();
  redis?.disconnect();
  await found?.stop();
});

it('a crash between commit and arm costs seconds, not the alarm', async () => {
  await stack.sim('POST', '/sim/pods', { uuid: 'crashed1', userId: 'ada' });
  const store = new RedisSessionStore(redis, { prefix: stack.prefix, shards: 1, slack: 1 });
  const policy = new PolicySet().resolve({ sleepAfter: '1s', deleteAfter: '1h' });
  const { now } = await store.read('crashed1');
  // Does what an API does before it dies: the commit, and nothing after it.
  const patch = newSession({ userId: 'ada', workspaceUrl: '', policy, cause: 'created' }, null, now);
  expect(await store.commit('crashed1', null, { patch, alarms: true })).toMatchObject({ kind: 'committed' });
  expect(await store.marked(0)).toEqual(['crashed1']);
  await stack.until('crashed1', 'sleeping', 6_000);
  await waitFor('the mark is gone', async () => (await store.marked(0)).length === 0);
});
