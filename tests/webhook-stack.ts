import { afterAll, beforeAll, expect } from 'vitest';
import { TestStack } from './stack.ts';
import { SECRET, WebhookReceiver } from './webhook-receiver.ts';

/** Starts a stack for the tests of a suite, and a receiver of its webhooks. */
export function useStack(redisUrl: () => string, workers: number): { readonly receiver: WebhookReceiver; readonly stack: TestStack } {
  const receiver = new WebhookReceiver();
  let stack: TestStack;
  beforeAll(async () => {
    const WEBHOOK_URL = await receiver.start();
    stack = new TestStack(redisUrl(), { WEBHOOK_URL, WEBHOOK_SECRET: SECRET, SLEEP_WARNING: '1500ms', DELETE_WARNING: '1s' });
    await stack.start({ workers });
  });
  afterAll(async () => {
    await stack?.stop();
    await receiver.stop();
    expect(receiver.invalid).toEqual([]);
  });
  return {
    receiver,
    get stack() {
      return stack;
    },
  };
}

/** Returns the metrics of all workers of a stack. */
export const metricsOf = async ({ ops }: TestStack) =>
  (await Promise.all(ops.map(async (url) => (await fetch(`${url}/metrics`)).text()))).join('\n');
