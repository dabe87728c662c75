import { type FoundRedis, redisForTests } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SessionBody, TestStack } from './stack.ts';

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url, { SHARDS: '3' }).start({});
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

it('the main job runs on three shards, and calls by user reach them all', async () => {
  const policy = { sleepAfter: '500ms', deleteAfter: '1h' };
  const sessions = await Promise.all(Array.from({ length: 12 }, () => stack.create('ada', policy)));
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'sleeping')));
  await Promise.all(sessions.map(({ uuid }) => stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' })));
  const woken = await stack.call<{ items: SessionBody[] }>('POST', '/v1/users/ada/activity');
  expect(woken.body.items.map(({ status }) => status)).toEqual(Array(12).fill('waking'));
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'active')));
  expect((await stack.call<{ items: SessionBody[] }>('POST', '/v1/users/ada/logout')).body.items).toHaveLength(12);
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'deleted')));
});
