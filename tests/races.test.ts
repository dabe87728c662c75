import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { FIELDS } from '@sandman/store';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

const SLEEP_AFTER = 250;
const SESSIONS = 40;
const ROUNDS = 8;

let found: FoundRedis;
let redis: Redis;
let stack: TestStack;

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url, { maxRetriesPerRequest: null });
  stack = await new TestStack(found.url).start({ apis: 2, workers: 2 });
});

afterAll(async () => {
  await stack?.stop();
  redis?.disconnect();
  await found?.stop();
});

interface Change {
  readonly at: number;
  readonly to: string;
  readonly cause: string;
}

/** Returns every change of status, read from the event stream, by session. */
async function changes(): Promise<Map<string, Change[]>> {
  const entries = await redis.xrange(`{${stack.prefix}:0}:events`, '-', '+');
  const byUuid = new Map<string, Change[]>();
  for (const [, fields] of entries) {
    const entry = Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]]));
    const list = byUuid.get(entry.uuid) ?? [];
    byUuid.set(entry.uuid, [...list, { at: Number(entry.at), to: entry.to, cause: entry.cause }]);
  }
  return byUuid;
}

it('pings at the very moment the alarm fires: none is slept upon, each that came too late is followed by a wake', async () => {
  // The call takes long enough for pings to arrive during it.
  await stack.fault({ call: 'sleep', fault: { delayMs: 15, afterMs: 15 } });
  const policy = { sleepAfter: `${SLEEP_AFTER}ms`, deleteAfter: '1h' };
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, (_, i) => stack.create(`racer-${i}`, policy)));
  const pings: { uuid: string; lastActivity: number; status: string; acknowledged: number }[] = [];

  /** Pings each session in `ROUNDS` rounds, from 20 ms before its deadline to 40 steps after that. */
  const race = (stepMs: number) =>
    Promise.all(
      sessions.map(async ({ uuid }, i) => {
        for (let round = 0; round < ROUNDS; round++) {
          await new Promise((resolve) => setTimeout(resolve, SLEEP_AFTER - 20 + ((i * ROUNDS + round) % 41) * stepMs));
          const view = await stack.ping(uuid);
          pings.push({ uuid, lastActivity: Date.parse(view.lastActivity), status: view.status, acknowledged: Date.now() });
        }
      }),
    );
  // Steps of 2 ms: before, at and after the decision, during the call, after it. On a busy machine each sleep may be later than that.
  for (let stepMs = 2; !pings.some(({ status }) => status === 'waking'); stepMs *= 2) await race(stepMs);
  await Promise.all(sessions.map(({ uuid }) => stack.until(uuid, 'sleeping')));

  const log = await changes();
  let decisions = 0;
  let woken = 0;
  for (const { uuid } of sessions) {
    const mine = pings.filter((ping) => ping.uuid === uuid);
    const idleSleeps = (log.get(uuid) ?? []).filter(({ to, cause }) => to === 'falling-asleep' && cause === 'idle');
    decisions += idleSleeps.length;
    for (const { at } of idleSleeps) {
      // A ping in the same ms as the decision may have come after it.
      const sleptUpon = mine.filter(({ lastActivity }) => lastActivity < at && at - lastActivity < SLEEP_AFTER);
      expect(sleptUpon).toEqual([]);
    }
    const calls = await stack.calls(uuid, 'sleep', 'wake');
    for (const ping of mine.filter(({ status }) => status === 'waking')) {
      woken++;
      // Either a wake ends after the ping, or the pod had just been woken and the record did not say so yet.
      const before = calls.filter(({ doneAt }) => doneAt <= ping.lastActivity).at(-1);
      expect(calls.some(({ call, doneAt }) => call === 'wake' && doneAt >= ping.lastActivity) || before?.call === 'wake').toBe(true);
    }
    // The session-manager sees sleep, wake, sleep, … in turn: no surplus call, and never two at a time.
    expect(calls.map(({ call }) => call)).toEqual(calls.map((_, k) => (k % 2 === 0 ? 'sleep' : 'wake')));
    for (const [k, call] of calls.entries()) if (k > 0) expect(call.at).toBeGreaterThanOrEqual(calls[k - 1]!.doneAt);
  }
  // Both sides of the race occurred: some pings came in time, some did not.
  expect(decisions).toBeGreaterThan(SESSIONS);
  expect(pings.length).toBeGreaterThan(woken);

  // No session is left without an alarm.
  const queue = new Queue('delete', { connection: redis, prefix: `{${stack.prefix}:0}` });
  try {
    // A worker may still be removing the alarm of an older number.
    await waitFor('each session has one delete alarm', async () => {
      const delayed = await queue.getDelayed(0, -1);
      return sessions.every(({ uuid }) => delayed.filter(({ id }) => id?.startsWith(`delete-${uuid}-`)).length === 1);
    });
  } finally {
    await queue.close();
  }
});

it('each live session has one delayed sleep and one delayed delete job, and pings move both', async () => {
  const { uuid } = await stack.create('watched', { sleepAfter: '1h', deleteAfter: '2h' });
  const due = async (name: string) => {
    const queue = new Queue(name, { connection: redis, prefix: `{${stack.prefix}:0}` });
    try {
      const mine = (await queue.getDelayed(0, -1)).filter(({ id }) => id?.startsWith(`${name}-${uuid}-`));
      expect(mine).toHaveLength(1);
      return mine[0]!.timestamp + mine[0]!.delay;
    } finally {
      await queue.close();
    }
  };
  // Old anchors, so that the next ping is further away than the slack of 1 % and moves both alarms at once.
  await redis.hset(`{${stack.prefix}:0}:session:${uuid}`, {
    [FIELDS.sleepAnchor]: Date.now() - 3_600_000,
    [FIELDS.deleteAnchor]: Date.now() - 3_600_000,
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const score = async (name: string) =>
    Number((await redis.zrange(`{${stack.prefix}:0}:${name}:delayed`, '0', '-1', 'WITHSCORES')).at(-1)) / 4096;
  const before = { sleep: await score('sleep'), delete: await score('delete') };
  await stack.ping(uuid);
  await waitFor('both alarms moved', async () => (await score('sleep')) > before.sleep && (await score('delete')) > before.delete);
  await due('sleep');
  await due('delete');

  // After a wake and a sleep there is still one of each.
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  await stack.ping(uuid);
  await stack.until(uuid, 'active');
  await waitFor('old alarms are gone', async () => (await redis.keys(`{${stack.prefix}:0}:*:*-${uuid}-*`)).length === 2);
  await due('sleep');
  await due('delete');
});
