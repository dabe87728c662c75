import {
  askRedis,
  type RedisCluster,
  type RedisServer,
  startFaultProxy,
  startRedis,
  startRedisCluster,
  startSentinel,
  waitFor,
  watchRunningTime,
} from '@sandman/sandbox';
import type { Cluster, Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answers, connectRedis } from './redis.ts';
import { parseRedisAddress, type RedisAddress } from './redis-address.ts';

const KEY = 'probe';

/** A Cluster for one test, and the test's connections to it. */
interface Place extends AsyncDisposable {
  readonly cluster: RedisCluster;
  readonly master: RedisServer;
  /** Connects with the address of one node only, the master of the key. */
  connect(role: 'request' | 'worker'): Redis | Cluster;
  /** Connects once more, as BullMQ does. */
  duplicate(redis: Redis | Cluster): Redis | Cluster;
}

/** Resolves when the Cluster requested last is up. Clusters start one at a time: two might choose the same free ports. */
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

// Concurrent, each on a Cluster of its own, because they wait for failovers. The slowest is first.
describe.concurrent('a Cluster', () => {
  it('whose master freezes: a caller hears of it within a second, a worker waits; both find the successor', async ({ expect }) => {
    await using place = await startPlace();
    const { master } = place;
    const [caller, worker] = [place.connect('request'), place.connect('worker')];
    await Promise.all([caller, worker].map(ready));
    process.kill(master.pid(), 'SIGSTOP');
    const waiting = worker.set(KEY, 'after');
    const running = watchRunningTime();
    const asked = Date.now();
    await expect(caller.get(KEY)).rejects.toThrow('Command timed out');
    expect(running.between(asked, Date.now())).toBeLessThan(1_000);
    running.stop();
    expect(await waiting).toBe('OK');
    expect(await waitFor('the caller is served', () => caller.get(KEY).catch(() => null))).toBe('after');
  });

  it('is found again without the node it was started with, by duplicates too', async () => {
    await using place = await startPlace();
    const { cluster, master } = place;
    const roles = [place.connect('request'), place.connect('worker')] as const;
    // The duplicate is made before the nodes of the Cluster are known, as BullMQ's blocking connection is.
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

// The time limits are 800 ms and 1 s: they end just before the standstill does, or long before.
it.each([810, 1_050, 1_500])('an answer that arrived while this process stood still for %i ms counts', async (ms) => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const caller = connectRedis(parseRedisAddress(server.url), 'request', () => {});
  onTestFinished(() => caller.disconnect());
  await ready(caller);
  const standStill = () => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  };
  const answer = caller.get(KEY);
  standStill();
  expect(await answer).toBe('before');
  const answering = answers(caller);
  standStill();
  expect(await answering).toBe(true);
});

it('a client that is connecting again when a sentinel tells of a new master is served by that master', async () => {
  const watched = await startSentinel();
  onTestFinished(() => watched.stop());
  const address = parseRedisAddress(watched.url) as RedisAddress & { kind: 'sentinel' };
  // The sentinel answers slowly, so that clients that lost the master spend most of the time reconnecting.
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
