import { askRedis, type RedisCluster, type RedisServer, startRedisCluster, waitFor } from '@sandman/testing';
import type { Cluster, Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answers, connectRedis } from './redis.ts';
import { parseRedisAddress } from './redis-address.ts';

const KEY = 'probe';

let cluster: RedisCluster;
let master: RedisServer;
let open: (Redis | Cluster)[];

/** Knows of one node only, the master of the key. */
function connect(role: 'request' | 'worker'): Redis | Cluster {
  const redis = connectRedis(parseRedisAddress(master.url.replace('redis:', 'redis+cluster:')), role, () => {});
  open.push(redis);
  return redis;
}

async function ready(redis: Redis | Cluster): Promise<void> {
  await waitFor('it answers', () => answers(redis));
  await waitFor('it takes', () => redis.set(KEY, 'before').catch(() => null));
}

beforeEach(async () => {
  open = [];
  cluster = await startRedisCluster();
  master = await cluster.masterOf(KEY);
});

afterEach(async () => {
  for (const redis of open) redis.disconnect();
  await cluster?.stop();
});

describe('a Cluster', () => {
  it('is found again without the node it was started with, by duplicates too', async () => {
    const roles = [connect('request'), connect('worker')];
    // Made before anything was known of the Cluster, as BullMQ makes its blocking one.
    const duplicate = (roles[1] as Cluster).duplicate();
    open.push(duplicate);
    const all = [...roles, duplicate];
    await Promise.all(all.map(ready));
    await master.kill();
    await waitFor('a replica took over', async () => (await cluster.masterOf(KEY)) !== master);
    const survivors = cluster.nodes.filter((node) => node !== master);
    await Promise.all(survivors.map((node) => askRedis(node, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal'))));
    for (const redis of all) await waitFor('it is served', () => redis.get(KEY).catch(() => null));
  });

  it('that answers takes commands for every master at once', async () => {
    const caller = connect('request');
    await waitFor('it answers', () => answers(caller));
    const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`);
    expect(await Promise.all(keys.map((key) => caller.set(key, key)))).toEqual(keys.map(() => 'OK'));
  });

  it('whose master freezes: a caller hears of it within a second, a worker waits; both find the successor', async () => {
    const [caller, worker] = [connect('request'), connect('worker')];
    await Promise.all([caller, worker].map(ready));
    process.kill(master.pid(), 'SIGSTOP');
    const waiting = worker.set(KEY, 'after');
    const asked = performance.now();
    await expect(caller.get(KEY)).rejects.toThrow('Command timed out');
    expect(performance.now() - asked).toBeLessThan(1_000);
    expect(await waiting).toBe('OK');
    expect(await waitFor('the caller is served', () => caller.get(KEY).catch(() => null))).toBe('after');
  });
});
