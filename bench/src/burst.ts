import { PolicySet } from '@sandman/core';
import { AlarmQueues } from '@sandman/queue';
import { type RedisServer, startRedis, waitFor } from '@sandman/sandbox';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { type Benchmark, type Context, shownSize } from './benchmark.ts';
import { type Figure, figure, interleave, ratio } from './figures.ts';
import { fillFleet, uuidOf } from './fleet.ts';
import { BARE_QUEUE, type BenchProcess, type ProcessSettings, runEntry, runSandman } from './processes.ts';
import { SleepCallLog } from './sleep-call-log.ts';

const BARE = 'bare BullMQ and POST';
const ONE = 'Sandman, 1 worker';
const TWO = 'Sandman, 2 workers';
const CONTESTANTS = [BARE, ONE, TWO] as const;

/** Time allowed for making each session, in ms. All sessions must exist before they are due. */
const MAKING_MS = 1;
const SETUP_MS = 1_000;
const DRAIN_TIMEOUT_MS = 120_000;
const DAY_MS = 86_400_000;

type PolicyOf = (index: number) => ReturnType<PolicySet['resolve']>;

/** Returns a policy for each session that makes it fall asleep at `at(index)` (ms since the epoch) if no activity arrives. */
export function dueAt(at: (index: number) => number): PolicyOf {
  return (index) => ({
    ...new PolicySet().default,
    name: 'custom',
    sleepAfter: Math.max(1, Math.round(at(index)) - Date.now()),
    deleteAfter: DAY_MS,
  });
}

/** Returns the time by which `count` sessions will have been made, in ms since the epoch. */
export function dueTimeFor(count: number): number {
  return Date.now() + SETUP_MS + count * MAKING_MS;
}

/** @throws Error if making the sessions took until after `at` */
function assertNotDueYet(at: number): void {
  if (Date.now() > at) throw new Error('The sessions were due before all of them were made');
}

/** Measures how long Sandman takes to record `count` sessions that are due at once as asleep, in s. */
export async function measureBurst(redisUrl: string, prefix: string, from: number, count: number, context: Context): Promise<number> {
  const redis = new Redis(redisUrl, { enableAutoPipelining: true });
  const alarms = new AlarmQueues(redis, prefix, 1, () => {});
  try {
    const asleep = () => redis.zcard(`{${prefix}:0}:status:sleeping`);
    const before = await asleep();
    const at = dueTimeFor(count);
    await fillFleet(redis, prefix, alarms, count, context, { from, policyOf: dueAt(() => at) });
    assertNotDueYet(at);
    await waitFor(`${count} sleep`, async () => (await asleep()) >= before + count, at - Date.now() + DRAIN_TIMEOUT_MS);
    return (Date.now() - at) / 1_000;
  } finally {
    await alarms.close();
    redis.disconnect();
  }
}

/** Measures the same for BullMQ alone, until the session-manager has received the sleep call of each session. */
async function bareBurst({ redisUrl, prefix, sessionManager = '' }: ProcessSettings, from: number, count: number): Promise<number> {
  const redis = new Redis(redisUrl, { enableAutoPipelining: true });
  const queue = new Queue(BARE_QUEUE, { connection: redis, prefix: `{${prefix}}` });
  try {
    const at = dueTimeFor(count);
    const uuids = Array.from({ length: count }, (_, i) => uuidOf(from + i));
    for (let i = 0; i < count; i += 1_000) {
      const jobs = uuids.slice(i, i + 1_000).map((uuid) => ({ name: 'sleep', data: {}, opts: { jobId: uuid, delay: at - Date.now() } }));
      await queue.addBulk(jobs);
    }
    assertNotDueYet(at);
    await new SleepCallLog(sessionManager).all(uuids, at - Date.now() + DRAIN_TIMEOUT_MS);
    return (Date.now() - at) / 1_000;
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

export const burst: Benchmark = {
  name: 'burst',
  about: 'Sessions that are due at once, until all sleep, beside a BullMQ worker whose job is one bare POST',
  async run(context): Promise<Figure[]> {
    const { rounds, warmUp, due } = context.scale;
    const group = shownSize(due, 'due at once');
    const running: BenchProcess[] = [];
    let redis: RedisServer | null = null;
    try {
      redis = await startRedis();
      const sessionManager = await runEntry('session-manager', { redisUrl: redis.url, prefix: '' });
      running.push(sessionManager);
      const settings = (prefix: string): ProcessSettings => ({ redisUrl: redis!.url, prefix, sessionManager: sessionManager.url });
      running.push(await runEntry('bare-worker', settings('bare')));
      for (const [prefix, workers] of [
        ['one', 1],
        ['two', 2],
      ] as const) {
        running.push(await runSandman('api', settings(prefix)));
        for (let i = 0; i < workers; i++) running.push(await runSandman('worker', settings(prefix)));
      }
      const { url } = redis;
      const run = (name: (typeof CONTESTANTS)[number], from: number, count: number) =>
        name === BARE
          ? bareBurst(settings('bare'), from, count)
          : measureBurst(url, name === ONE ? 'one' : 'two', from, count, { ...context, progress: () => {} });
      // An uncounted run first, so that the code is compiled.
      if (warmUp) for (const [i, name] of CONTESTANTS.entries()) await run(name, (rounds * 3 + i) * due, due);
      const took = await interleave(CONTESTANTS, rounds, async (name, round) => {
        const seconds = await run(name, (round * 3 + CONTESTANTS.indexOf(name)) * due, due);
        context.progress(`${group}, round ${round + 1} of ${rounds}, ${name}: ${seconds.toFixed(1)} s`);
        return seconds;
      });
      return [
        ...Object.entries(took).map(([name, seconds]) => figure(group, name, 's', seconds)),
        ratio(group, `speed of ${ONE} ÷ ${BARE}`, took[BARE], took[ONE], { atLeast: 0.5 }),
        ratio(group, `speed of ${TWO} ÷ ${BARE}`, took[BARE], took[TWO]),
      ];
    } finally {
      await Promise.all(running.map((one) => one.stop()));
      await redis?.stop();
    }
  },
};
