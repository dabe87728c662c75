import { newSession, PolicySet } from '@sandman/core';
import { type FoundRedis, redisForTests } from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SessionBody, TestStack } from '../stack.ts';

const SHARDS = 256;
const USERS = 1_000;
const SESSIONS_OF_ONE = 600;
const CALLS_AT_ONCE = 6;
const policy = new PolicySet().default;

interface Verdict {
  readonly accepted: number;
  readonly rejected: unknown[];
}

let found: FoundRedis;
let redis: Redis;
let stack: TestStack;
let store: RedisSessionStore;

async function create(uuid: string, userId: string): Promise<void> {
  const { now } = await store.read(uuid);
  await store.commit(uuid, null, { patch: newSession({ userId, workspaceUrl: '', policy, cause: 'created' }, null, now), alarms: true });
}

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url);
  stack = await new TestStack(found.url, { SHARDS: `${SHARDS}` }).start({ workers: 0 });
  store = new RedisSessionStore(redis, { prefix: stack.prefix, shards: SHARDS, slack: 25 });
  await Promise.all([
    ...Array.from({ length: USERS }, (_, i) => create(`u${i}`, `user ${i}`)),
    ...Array.from({ length: SESSIONS_OF_ONE }, (_, i) => create(`m${i}`, 'many')),
    create('pinged', 'pinger'),
  ]);
});

afterAll(async () => {
  await stack?.stop();
  redis?.disconnect();
  await found?.stop();
});

/** Reads how often Redis has run each command so far. Returns a function that gives the count for a command. */
async function commandsRun(): Promise<(name: string) => number> {
  const stats = await redis.info('commandstats');
  return (name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

it('a batch of 1,000 users over 256 shards is taken whole, and looks into each shard a few times, not once for each user', async () => {
  const events = Array.from({ length: USERS }, (_, i) => ({ userId: `user ${i}` }));
  const before = await commandsRun();
  const { body } = await stack.call<Verdict>('POST', '/v1/activity', { events });
  const after = await commandsRun();
  expect(body).toEqual({ accepted: USERS, rejected: [] });
  const ran = (name: string) => after(name) - before(name);
  // Heartbeats use neither of these.
  expect(ran('zrangebylex') + ran('zcard')).toBeLessThan(SHARDS * 25);
  // Only a touch runs HGETALL, to read its record.
  expect(ran('hgetall')).toBeLessThan(USERS * 1.5);
});

it('large calls by user answer whole, each event of a batch gets its verdict, and the pings of others are taken meanwhile', async () => {
  let over = false;
  const pings: number[] = [];
  const pinging = async () => {
    while (!over) pings.push((await stack.call('POST', '/v1/sessions/pinged/activity')).status);
  };
  const calls = Array.from({ length: CALLS_AT_ONCE }, () => stack.call<{ items: SessionBody[] }>('POST', '/v1/users/many/activity'));
  const events = [...Array(998).fill({ userId: 'many' }), { userId: 'many', at: 'yesterday' }, { uuid: 'nobody' }];
  const batch = stack.call<Verdict>('POST', '/v1/activity', { events });
  const large = Promise.all([batch, ...calls]).finally(() => {
    over = true;
  });
  await Promise.all([large, pinging(), pinging()]);
  expect((await batch).body).toEqual({
    accepted: 998,
    rejected: [
      { index: 998, code: 'invalid-request' },
      { index: 999, code: 'session-not-found' },
    ],
  });
  for (const { status, body } of await Promise.all(calls)) {
    expect(status).toBe(202);
    expect(new Set(body.items.map(({ uuid }) => uuid)).size).toBe(SESSIONS_OF_ONE);
  }
  expect(pings.length).toBeGreaterThan(0);
  expect(new Set(pings)).toEqual(new Set([202]));
});

it('1,000 events of one user touch each of the user’s sessions once', async () => {
  const { record: before } = await store.read('m0');
  const events = Array(1_000).fill({ userId: 'many' });
  expect((await stack.call<Verdict>('POST', '/v1/activity', { events })).body).toEqual({ accepted: 1_000, rejected: [] });
  expect((await store.read('m0')).record!.rev).toBe(before!.rev + 1);
});

it('a logout of a user with many sessions deletes all of them', async () => {
  const { status, body } = await stack.call<{ items: SessionBody[] }>('POST', '/v1/users/many/logout');
  expect(status).toBe(202);
  expect(body.items.map(({ status: shown }) => shown)).toEqual(Array(SESSIONS_OF_ONE).fill('deleting'));
});
