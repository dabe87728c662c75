import type { SessionRecord } from '@sandman/core';
import { connectRedis, createLogger, createMetrics } from '@sandman/runtime';
import { startRedis } from '@sandman/sandbox';
import { RedisJournal, RedisSessionStore } from '@sandman/store';
import { expect, it } from 'vitest';
import { WebhookClient } from './webhook-client.ts';
import { Webhooks } from './webhooks.ts';

it('a warning that cannot be handed over delays no sleep: it is dropped, and counted', async () => {
  const server = await startRedis();
  const redis = connectRedis(
    { kind: 'single', server: { host: '127.0.0.1', port: server.port }, database: 0, tls: false, login: null },
    'worker',
    () => {},
  );
  const metrics = createMetrics('worker');
  const webhooks = new Webhooks({
    redis,
    prefix: 'test',
    shards: 1,
    store: new RedisSessionStore(redis, { prefix: 'test', shards: 1, slack: 1 }),
    journal: new RedisJournal(redis, { prefix: 'test', shards: 1 }),
    client: new WebhookClient('http://127.0.0.1:1', Buffer.alloc(32)),
    warnings: { sleep: 1_000, delete: 1_000 },
    metrics,
    logger: createLogger('silent', 'test'),
  });
  const warn = (uuid: string) => webhooks.warn({ uuid } as SessionRecord, 'sleep', Date.now() + 60_000);
  const outcomes = async () => {
    const { values } = await metrics.registry.getSingleMetric('sandman_webhooks_total')!.get();
    return values.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.outcome, value]);
  };
  try {
    await warn('taken');
    expect(await outcomes()).toEqual([]);
    process.kill(server.pid(), 'SIGSTOP');
    const askedAt = performance.now();
    await warn('dropped');
    expect(performance.now() - askedAt).toBeLessThan(5_000);
    expect(await outcomes()).toEqual([['dropped', 1]]);
  } finally {
    process.kill(server.pid(), 'SIGCONT');
    await webhooks.close();
    redis.disconnect();
    await server.stop();
  }
});
