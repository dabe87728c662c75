import { type FoundRedis, type RunningTime, redisForTests, waitFor, watchRunningTime } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from './stack.ts';
import { SECRET, WebhookReceiver } from './webhook-receiver.ts';

const receiver = new WebhookReceiver();
let redis: FoundRedis;
let stack: TestStack;
let running: RunningTime;

beforeAll(async () => {
  running = watchRunningTime();
  redis = await redisForTests();
  stack = new TestStack(redis.url, { WEBHOOK_URL: await receiver.start(), WEBHOOK_SECRET: SECRET, SLEEP_WARNING: '1s' });
  await stack.start({});
});
afterAll(async () => {
  await stack?.stop();
  await receiver.stop();
  await redis?.stop();
  running.stop();
  expect(receiver.invalid).toEqual([]);
});

describe('a webhook receiver that is down', () => {
  it.each([
    ['refuses', () => 503, () => receiver.refused.length >= 40],
    // A worker makes at most ten deliveries at once.
    ['does not answer', () => null, () => receiver.unanswered.length >= 10],
  ])('and %s delays no sleep', async (what, answer, isDown) => {
    receiver.answer = answer;
    const before = await Promise.all(Array.from({ length: 40 }, (_, i) => stack.create(`early-${what}-${i}`)));
    await Promise.all(before.map(({ uuid }) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
    for (const { uuid } of before) await stack.until(uuid, 'sleeping');
    await waitFor('deliveries fail', isDown);
    const policy = { sleepAfter: '1s', deleteAfter: '1h' };
    const sessions = await Promise.all(Array.from({ length: 20 }, (_, i) => stack.create(`late-${what}-${i}`, policy)));
    for (const { uuid } of sessions) await stack.until(uuid, 'sleeping');
    for (const { uuid, sleepAt } of sessions) {
      const [sleep] = await stack.calls(uuid, 'sleep');
      expect(running.between(Date.parse(sleepAt!), sleep!.at)).toBeLessThan(300);
    }
  });
});
