import { shardOf, shardTag } from '@sandman/core';
import {
  askRedis,
  eventFrames,
  formLogin,
  freePort,
  nextEvent,
  type RedisCluster,
  type RedisServer,
  startApp,
  startRedisCluster,
  waitFor,
} from '@sandman/sandbox';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SessionBody, TestStack } from '../stack.ts';

const SHARDS = 6;
const SESSIONS = 30;
/** A stopping process must close within this time, in ms; it is well below the time that it is allowed. */
const CLOSED_MS = 10_000;
/** The time limit for work over a Cluster's many connections, on a busy machine, in ms. */
const PATIENCE_MS = 30_000;
const users = Array.from({ length: SESSIONS }, (_, i) => `user-${i}`);

let cluster: RedisCluster;
let masters: RedisServer[];
let stack: TestStack;

beforeEach(async () => {
  cluster = await startRedisCluster();
});

afterEach(async () => {
  await stack?.stop();
  await cluster?.stop();
});

/** Starts a stack whose shards live on all three masters. The processes know only the first shard's master. */
async function start(): Promise<void> {
  do {
    stack = new TestStack('', {});
    masters = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => cluster.masterOf(shardTag(stack.prefix, shard))));
  } while (new Set(masters).size < 3);
  stack = Object.assign(new TestStack(seedUrl(), { SHARDS: `${SHARDS}` }), { prefix: stack.prefix });
  await stack.start({});
}

function seedUrl(): string {
  return masters[0]!.url.replace('redis:', 'redis+cluster:');
}

function masterOf({ uuid }: SessionBody): RedisServer {
  return masters[shardOf(uuid, SHARDS)]!;
}

it('the main job runs for users on every master, and every process ends in time', async () => {
  await start();
  const policy = { sleepAfter: '500ms', deleteAfter: '1h' };
  const sessions = await Promise.all(users.map((user) => stack.create(user, policy)));
  expect(new Set(sessions.map(masterOf)).size).toBe(3);
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'sleeping')));
  await Promise.all(sessions.map(({ uuid }) => stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' })));
  for (const { uuid } of sessions) expect((await stack.ping(uuid)).status).toBe('waking');
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'active')));
  const all = await stack.call<{ items: SessionBody[] }>('GET', '/v1/sessions?limit=1000');
  expect(all.body.items).toHaveLength(SESSIONS);

  const port = await freePort();
  const login = { DASHBOARD_USER: 'admin', DASHBOARD_PASSWORD: 'right' };
  const env = { REDIS_URL: cluster.url, KEY_PREFIX: stack.prefix, SHARDS: `${SHARDS}`, HOST: '127.0.0.1', DASHBOARD_PORT: `${port}` };
  const dashboard = startApp('dashboard', { ...env, ...login });
  try {
    const base = `http://127.0.0.1:${port}`;
    await waitFor('the dashboard is up', async () => (await fetch(`${base}/readyz`).catch(() => null))?.ok, PATIENCE_MS);
    const { headers } = await formLogin(base, 'admin', 'right');
    type Board = { queues?: { counts: { delayed: number } }[] };
    const queues = await waitFor('the board has met every master', async () => {
      const board = await fetch(`${base}/queues/api/queues`, { headers });
      return ((await board.json()) as Board).queues;
    });
    expect(queues).toHaveLength(3 * SHARDS);
    // Replaced alarms may still be there.
    expect(queues.reduce((sum, { counts }) => sum + counts.delayed, 0)).toBeGreaterThanOrEqual(2 * SESSIONS);
    const live = eventFrames(`${base}/api/live`, { ...headers });
    const { sessions, next, workers } = await nextEvent<{ sessions: { active: number }; next: unknown[]; workers: { alive: number } }>(
      live,
      'overview',
    );
    await live.return(undefined);
    expect(sessions.active).toBe(SESSIONS);
    expect([next.length > 0, workers.alive]).toEqual([true, 1]);
  } finally {
    dashboard.kill('SIGTERM');
  }

  await Promise.all(users.map((user) => stack.call('POST', `/v1/users/${user}/logout`)));
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'deleted')));
  for (const process of [dashboard, stack.apis[0]!, stack.workers[0]!]) {
    const asked = performance.now();
    process.kill('SIGTERM');
    expect(await process.exited).toBe(0);
    expect(performance.now() - asked).toBeLessThan(CLOSED_MS);
    expect(process.stderr()).toBe('');
  }
}, 60_000);

interface Ping {
  readonly session: SessionBody;
  readonly at: number;
  readonly status: number;
  readonly ms: number;
}

it('a master killed with kill -9: 503 for its sessions until its replica serves them, no hitch for the others', async () => {
  await start();
  const policy = { sleepAfter: '8s', deleteAfter: '4s' };
  const sessions = await Promise.all(users.map((user) => stack.create(user, policy)));
  const pings: Ping[] = [];
  let pinging = true;
  const everyone = sessions.map(async (session) => {
    while (pinging) {
      const at = Date.now();
      const { status } = await stack.call('POST', `/v1/sessions/${session.uuid}/activity`);
      pings.push({ session, at, status, ms: Date.now() - at });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  const victim = masters[0]!;
  const lost = sessions.filter((session) => masterOf(session) === victim);
  const last = (session: SessionBody) => pings.findLast((ping) => ping.session === session);
  await waitFor('everyone has pinged', () => sessions.every((session) => last(session)?.status === 202));
  await victim.kill();
  await waitFor('the lost sessions answer 503', () => lost.every((session) => last(session)?.status === 503));
  await waitFor('they answer again', () => lost.every((session) => last(session)?.status === 202), 20_000);
  // Cuts the processes' connections to the surviving nodes too: they must reconnect, although their REDIS_URL has only the dead node.
  const survivors = cluster.nodes.filter((node) => node !== victim);
  await Promise.all(survivors.map((node) => askRedis(node, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal'))));
  const brokenAt = Date.now();
  const isServed = (session: SessionBody) => pings.some((ping) => ping.session === session && ping.at > brokenAt && ping.status === 202);
  await waitFor('everyone is served after it', () => sessions.every(isServed), PATIENCE_MS);
  pinging = false;
  await Promise.all(everyone);

  const others = pings.filter(({ session, at }) => masterOf(session) !== victim && at < brokenAt - 1_000);
  expect(new Set(others.map(({ status }) => status))).toEqual(new Set([202]));
  expect(new Set(pings.map(({ status }) => status))).toEqual(new Set([202, 503]));
  expect(Math.max(...pings.map(({ ms }) => ms))).toBeLessThan(2_000);
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'deleted', 25_000)));
  for (const session of sessions) {
    const calls = await stack.calls(session.uuid);
    expect(calls.map(({ call }) => call)).toEqual(['create', 'sleep', 'delete']);
    expect(calls[1]!.at - pings.findLast((ping) => ping.session === session && ping.status === 202)!.at).toBeGreaterThanOrEqual(8_000);
  }
}, 120_000);
