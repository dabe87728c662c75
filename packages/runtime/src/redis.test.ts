import {
  askRedis,
  type RedisCluster,
  type RedisServer,
  startFaultProxy,
  startRedisCluster,
  startSentinel,
  waitFor,
} from '@sandman/testing';
import type { Cluster, Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answers, connectRedis } from './redis.ts';
import { parseRedisAddress, type RedisAddress } from './redis-address.ts';

const KEY = 'probe';

/** A Cluster of one test, and what the test connects to it. */
interface Place extends AsyncDisposable {
  readonly cluster: RedisCluster;
  readonly master: RedisServer;
  /** Connects with the address of one node only, the master of the key. */
  connect(role: 'request' | 'worker'): Redis | Cluster;
  /** Connects once more, as BullMQ does. */
  duplicate(redis: Redis | Cluster): Redis | Cluster;
}

/** When the last Cluster that was asked for is up. One starts at a time: two might choose the same free ports. */
let up: Promise<unknown> = Promise.resolve();

async function startPlace(): Promise<Place> {
  const starting = up.then(() => startRedisCluster());
  up = starting.catch(() => {});
  const cluster = await starting;
  const open: (Redis | Cluster)[] = [];
  const opened = (redis: Redis | Cluster) => {
    open.push(redis);
    return redis;
  };
  const master = await cluster.masterOf(KEY);
  const address = parseRedisAddress(master.url.replace('redis:', 'redis+cluster:'));
  return {
    cluster,
    master,
    connect: (role) => opened(connectRedis(address, role, () => {})),
    duplicate: (redis) => opened((redis as Cluster).duplicate()),
    async [Symbol.asyncDispose]() {
      for (const redis of open) redis.disconnect();
      await cluster.stop();
    },
  };
}

async function ready(redis: Redis | Cluster): Promise<void> {
  await waitFor('it answers', () => answers(redis));
  await waitFor('it takes', () => redis.set(KEY, 'before').catch(() => null));
}

// Each on a Cluster of its own, the slowest first: they wait for failovers.
describe.concurrent('a Cluster', () => {
  it('whose master freezes: a caller hears of it within a second, a worker waits; both find the successor', async ({ expect }) => {
    await using place = await startPlace();
    const { master } = place;
    const [caller, worker] = [place.connect('request'), place.connect('worker')];
    await Promise.all([caller, worker].map(ready));
    process.kill(master.pid(), 'SIGSTOP');
    const waiting = worker.set(KEY, 'after');
    const asked = performance.now();
    await expect(caller.get(KEY)).rejects.toThrow('Command timed out');
    expect(performance.now() - asked).toBeLessThan(1_000);
    expect(await waiting).toBe('OK');
    expect(await waitFor('the caller is served', () => caller.get(KEY).catch(() => null))).toBe('after');
  });

  it('is found again without the node it was started with, by duplicates too', async () => {
    await using place = await startPlace();
    const { cluster, master } = place;
    const roles = [place.connect('request'), place.connect('worker')] as const;
    // Made before anything was known of the Cluster, as BullMQ makes its blocking one.
    const all = [...roles, place.duplicate(roles[1])];
    await Promise.all(all.map(ready));
    await master.kill();
    await waitFor('a replica took over', async () => (await cluster.masterOf(KEY)) !== master);
    const survivors = cluster.nodes.filter((node) => node !== master);
    await Promise.all(survivors.map((node) => askRedis(node, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal'))));
    for (const redis of all) await waitFor('it is served', () => redis.get(KEY).catch(() => null));
  });

  it('that answers takes commands for every master at once', async () => {
    await using place = await startPlace();
    const caller = place.connect('request');
    await waitFor('it answers', () => answers(caller));
    const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`);
    expect(await Promise.all(keys.map((key) => caller.set(key, key)))).toEqual(keys.map(() => 'OK'));
  });
});

it('a client that is connecting again when a sentinel tells of a new master is served by that master', async () => {
  const watched = await startSentinel();
  onTestFinished(() => watched.stop());
  const address = parseRedisAddress(watched.url) as RedisAddress & { kind: 'sentinel' };
  // A sentinel that answers slowly: clients that lost the master are connecting again most of the time.
  const slow = await startFaultProxy(address.sentinels[0]!);
  onTestFinished(() => slow.close());
  const clients = Array.from({ length: 8 }, () => connectRedis({ ...address, sentinels: [slow] }, 'worker', () => {}));
  onTestFinished(() => {
    for (const client of clients) client.disconnect();
  });
  await Promise.all(clients.map(ready));
  slow.delay({ from: 300 });
  await (await watched.master()).kill();
  const answered = Promise.all(clients.map((client) => client.set(KEY, 'after')));
  expect(await answered).toEqual(clients.map(() => 'OK'));
});
