import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LoggedCall, TestStack } from '../stack.ts';

const RPS = 20;
const CALLS = 200;
/** How much the travel times of two calls may differ, in ms. The slots in Redis are evenly spaced; arrivals on a busy machine are not. */
const JOURNEY_MS = 4_000;

// Concurrent, because the first test mostly waits for the circuit breaker.
const SIDE_BY_SIDE = { concurrent: true };

let redis: FoundRedis;
/** One for each test: their circuits and rates must not meet. All start before the first test, whose time limit they would use up. */
let stacks: [TestStack, TestStack, TestStack];

beforeAll(async () => {
  redis = await redisForTests();
  stacks = [
    new TestStack(redis.url),
    new TestStack(redis.url, { SESSION_MANAGER_MAX_RPS: `${RPS}`, WORKER_CONCURRENCY: '30' }),
    new TestStack(redis.url, { PATROL_RATE: '20' }),
  ];
  await stacks[0].start({});
  await stacks[1].start({ workers: 2 });
  await stacks[2].start({ workers: 0 });
});

afterAll(async () => {
  await Promise.all((stacks ?? []).map((stack) => stack.stop()));
  await redis?.stop();
});

async function calls(stack: TestStack): Promise<LoggedCall[]> {
  const { items } = await stack.sim<{ items: LoggedCall[] }>('GET', '/sim/journal');
  return items.filter(({ call }) => call !== 'create');
}

/** Reads a metric of a worker; sums the series if it has labels. */
async function metric({ ops }: { readonly ops: string }, name: string): Promise<number> {
  const text = await (await fetch(`${ops}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}(?:{.*})? (.+)$`, 'gm'))].map(([, value]) => Number(value));
  return values.reduce((sum, value) => sum + value, 0);
}

it('a session-manager that knows none of our sessions does not write the fleet off, and all go on once it does', {
  ...SIDE_BY_SIDE,
  timeout: 180_000,
}, async () => {
  const [stack] = stacks;
  const worker = { ops: stack.ops[0]! };
  const uuids = Array.from({ length: 12 }, (_, i) => `adopted${i}`);
  for (const uuid of uuids) expect((await stack.call('PUT', `/v1/sessions/${uuid}`, { userId: 'ada' })).status).toBe(201);
  await Promise.all(uuids.map((uuid) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
  await waitFor('the circuit is open', async () => (await metric(worker, 'sandman_circuit_open')) === 1);
  const before = (await calls(stack)).length;
  await waitFor('it was tried again, and again', async () => (await calls(stack)).length >= before + 2);

  const statuses = await Promise.all(uuids.map((uuid) => stack.status(uuid)));
  const alive = uuids.filter((_, i) => statuses[i] !== 'deleted');
  expect(alive.length).toBeGreaterThanOrEqual(8);
  expect(await metric(worker, 'sandman_circuit_open')).toBe(1);

  for (const uuid of alive) await stack.sim('POST', '/sim/pods', { uuid, userId: 'ada' });
  // One after the other, because many concurrent polls slow down what they wait for.
  for (const uuid of alive) await stack.until(uuid, 'sleeping', 90_000);
  expect(await metric(worker, 'sandman_circuit_open')).toBe(0);
});

it('SESSION_MANAGER_MAX_RPS bounds what all workers call together, at whichever time, and all gets done', SIDE_BY_SIDE, async () => {
  const [, stack] = stacks;
  const sessions = await Promise.all(Array.from({ length: CALLS }, (_, i) => stack.create(`user-${i}`)));
  await Promise.all(sessions.map(({ uuid }) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
  for (const { uuid } of sessions) await stack.until(uuid, 'sleeping');

  const times = (await calls(stack)).map(({ at }) => at).toSorted((a, b) => a - b);
  expect(times).toHaveLength(CALLS);
  // Between any two calls lies the time of all slots between them. Two workers with a rate each would take half of it.
  const ahead = times.flatMap((from, i) => times.slice(i).map((at, k) => (k * 1_000) / RPS - (at - from)));
  expect(Math.max(...ahead)).toBeLessThanOrEqual(JOURNEY_MS);
  for (const ops of stack.ops) expect(await metric({ ops }, 'sandman_session_manager_requests_total')).toBeGreaterThan(0);
});

it('a session-manager whose statuses cannot be read holds up no other call', SIDE_BY_SIDE, async () => {
  const [, , stack] = stacks;
  const uuids = await Promise.all(Array.from({ length: 8 }, async (_, i) => (await stack.create(`user-${i}`)).uuid));
  await stack.fault({ call: 'status', fault: { status: 500 } });
  const worker = await stack.addWorker();
  await waitFor('the patrol has asked for all', async () => (await metric(worker, 'sandman_patrol_reads_total')) >= uuids.length);
  expect(await metric(worker, 'sandman_circuit_open')).toBe(0);
  await Promise.all(uuids.map((uuid) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
  for (const uuid of uuids) await stack.until(uuid, 'sleeping');
  expect(worker.stdout()).not.toContain('the session-manager fails');
});
