import { freePort, type RedisServer, startApp, startRedis, waitFor } from '@sandman/sandbox';
import type { Benchmark, Context } from './benchmark.ts';
import { type Figure, figure, interleave } from './figures.ts';
import { API_KEY, type BenchProcess, runSandman } from './processes.ts';

/** The most sessions in a round, and how many of them have pods for which every call is answered 500. */
const SESSIONS = 1_000;
const BROKEN = ['0', '5', '30', '300'] as const;
/** Users who return, and sessions that fall due, per second. */
const RETURNS_PER_SECOND = 20;
/** How long a session is idle until it is due, in ms. */
const IDLE_MS = 2_000;
const AT_ONCE = 20;
/** The longest outage, in ms; the length of each alternating outage and recovery, in ms; the most alternations. */
const DOWN_MS = 10_000;
const TURN_MS = 2_000;
const MOST_TURNS = 5;
const TIMEOUT_MS = 60_000;
const SIM_KEY = 'bench-session-manager-key';

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)));

/** @throws Error on an answer that is not 2xx */
async function requestJson<T>(url: string, key: string, method: string, body: unknown): Promise<T> {
  const answer = await fetch(url, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${url} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Starts an API, two workers, and a simulated session-manager whose pods can be broken. */
class BrokenPodsTestbed {
  readonly #api: BenchProcess;
  readonly #running: readonly BenchProcess[];
  readonly #sim: string;
  readonly #stopSim: () => Promise<void>;

  private constructor(sim: string, stopSim: () => Promise<void>, running: readonly BenchProcess[]) {
    [this.#api] = running as [BenchProcess];
    this.#running = running;
    this.#sim = sim;
    this.#stopSim = stopSim;
  }

  static async open(redis: RedisServer, prefix: string): Promise<BrokenPodsTestbed> {
    const port = await freePort();
    const sim = `http://127.0.0.1:${port}`;
    const app = startApp('session-manager-sim', { HOST: '127.0.0.1', SIM_PORT: `${port}`, SIM_API_KEY: SIM_KEY });
    await waitFor('the session-manager is up', async () => (await fetch(`${sim}/healthz`).catch(() => null))?.ok, TIMEOUT_MS);
    const settings = { redisUrl: redis.url, prefix, sessionManager: sim, env: { SESSION_MANAGER_API_KEY: SIM_KEY } };
    const running = await Promise.all([runSandman('api', settings), runSandman('worker', settings), runSandman('worker', settings)]);
    const stopSim = async () => {
      app.kill('SIGKILL');
      await app.exited;
    };
    return new BrokenPodsTestbed(sim, stopSim, running);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.map((one) => one.stop()), this.#stopSim()]);
  }

  call<T = { uuid: string; sleepAt: string }>(method: string, path: string, body?: unknown): Promise<T> {
    return requestJson(`${this.#api.url}/v1${path}`, API_KEY, method, body);
  }

  sim<T>(method: string, path: string, body?: unknown): Promise<T> {
    return requestJson(this.#sim + path, SIM_KEY, method, body);
  }

  /** Returns when each session was last put to sleep, in ms. */
  async sleeps(): Promise<Map<string, number>> {
    const { items } = await this.sim<{ items: { call: string; uuid: string; at: number; status: number }[] }>('GET', '/sim/journal');
    return new Map(items.filter(({ call, status }) => call === 'sleep' && status === 200).map(({ uuid, at }) => [uuid, at]));
  }
}

async function forEachConcurrently<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await run(item);
    }),
  );
}

const p99 = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(0.99 * values.length)]!;

/** Creates sessions and puts them to sleep. */
async function createSleeping(stage: BrokenPodsTestbed, count: number): Promise<string[]> {
  const uuids: string[] = [];
  await forEachConcurrently(Array.from({ length: count }), async () => {
    const { uuid } = await stage.call('POST', '/sessions', { userId: 'ada', policy: 'conservative' });
    await stage.call('POST', `/sessions/${uuid}/sleep`);
    uuids.push(uuid);
  });
  await waitFor('all sleep', async () => (await stage.sleeps()).size >= count, TIMEOUT_MS);
  return uuids;
}

async function measureWake(stage: BrokenPodsTestbed, uuid: string): Promise<number> {
  const from = performance.now();
  await stage.call('POST', `/sessions/${uuid}/wake?wait=60s`);
  return performance.now() - from;
}

/** Measures how long live users wait and how late live sessions fall asleep (p99, ms) while `broken` pods fail. */
async function besideBrokenPods(redis: RedisServer, broken: number, sessions: number, prefix: string, seconds: number) {
  const stage = await BrokenPodsTestbed.open(redis, prefix);
  try {
    const samples = seconds * RETURNS_PER_SECOND;
    const sleepers = await createSleeping(stage, samples);
    const others: string[] = [];
    await forEachConcurrently(Array.from({ length: Math.max(samples + broken, sessions - samples) }), async () => {
      others.push((await stage.call('POST', '/sessions', { userId: 'bob', policy: 'conservative' })).uuid);
    });
    const dead = others.splice(0, broken);
    await forEachConcurrently(dead, (uuid) => stage.sim('POST', '/sim/faults', { uuid, fault: { status: 500 } }));
    await forEachConcurrently(dead, (uuid) => stage.call('POST', `/sessions/${uuid}/sleep`));
    await pause(5_000);
    const waits: Promise<number>[] = [];
    const due = new Map<string, number>();
    const from = performance.now();
    for (let i = 0; i < samples; i++) {
      waits.push(measureWake(stage, sleepers[i]!));
      const uuid = others[i]!;
      await stage.call('POST', `/sessions/${uuid}/activity`);
      const { sleepAt } = await stage.call('PATCH', `/sessions/${uuid}`, { policy: { sleepAfter: `${IDLE_MS}ms`, deleteAfter: 'never' } });
      due.set(uuid, Date.parse(sleepAt));
      await pause(from + ((i + 1) * 1_000) / RETURNS_PER_SECOND - performance.now());
    }
    const woken = await Promise.all(waits);
    const slept = await waitFor(
      'all that were due sleep',
      async () => {
        const sleeps = await stage.sleeps();
        return [...due.keys()].every((uuid) => sleeps.has(uuid)) ? sleeps : null;
      },
      TIMEOUT_MS + IDLE_MS,
    );
    return { wake: p99(woken), late: p99([...due].map(([uuid, at]) => slept.get(uuid)! - at)) };
  } finally {
    await stage.close();
  }
}

/** Measures how long after the end of an outage the last waiting user is served, in ms. */
async function afterOutage(redis: RedisServer, prefix: string, down: number): Promise<number> {
  const stage = await BrokenPodsTestbed.open(redis, prefix);
  try {
    const sleepers = await createSleeping(stage, 100);
    const { id } = await stage.sim<{ id: number }>('POST', '/sim/faults', { fault: { status: 503 } });
    const waits = sleepers.map((uuid) => measureWake(stage, uuid));
    const from = performance.now();
    await pause(down);
    await stage.sim('DELETE', `/sim/faults/${id}`);
    const back = performance.now() - from;
    return Math.max(...(await Promise.all(waits))) - back;
  } finally {
    await stage.close();
  }
}

/** Measures how long users wait (p99, ms) while the session-manager is down for 2 s and up for 2 s in turn. */
async function whileFlapping(redis: RedisServer, prefix: string, turns: number): Promise<number> {
  const stage = await BrokenPodsTestbed.open(redis, prefix);
  try {
    const sleepers = await createSleeping(stage, 100);
    const waits: Promise<number>[] = [];
    for (let turn = 0; turn < turns; turn++) {
      const { id } = await stage.sim<{ id: number }>('POST', '/sim/faults', { fault: { status: 503 } });
      for (const uuid of sleepers.splice(0, 10)) waits.push(measureWake(stage, uuid));
      await pause(TURN_MS);
      await stage.sim('DELETE', `/sim/faults/${id}`);
      for (const uuid of sleepers.splice(0, 10)) waits.push(measureWake(stage, uuid));
      await pause(TURN_MS);
    }
    return p99(await Promise.all(waits));
  } finally {
    await stage.close();
  }
}

export const brokenPods: Benchmark = {
  name: 'broken',
  about: 'What broken pods, or a session-manager that is down, cost users who come back and sessions that fall asleep',
  async run({ scale: { rounds, seconds, small }, progress }: Context): Promise<Figure[]> {
    const sessions = Math.min(SESSIONS, small);
    const counts = BROKEN.filter((count) => Number(count) <= 0.3 * sessions);
    const down = Math.min(DOWN_MS, 2_000 * seconds);
    const redis = await startRedis();
    try {
      let stages = 0;
      const prefix = () => `broken-${++stages}`;
      const measured = await interleave(counts, rounds, async (count, round) => {
        const found = await besideBrokenPods(redis, Number(count), sessions, prefix(), seconds);
        progress(
          `${count} broken, round ${round + 1} of ${rounds}: wakes ${Math.round(found.wake)} ms, sleeps ${Math.round(found.late)} ms late`,
        );
        return found;
      });
      const back: number[] = [];
      const turns: number[] = [];
      for (let round = 0; round < rounds; round++) {
        back.push(await afterOutage(redis, prefix(), down));
        turns.push(await whileFlapping(redis, prefix(), Math.min(MOST_TURNS, seconds)));
        progress(`round ${round + 1} of ${rounds}: down ${Math.round(back.at(-1)!)} ms, coming and going ${Math.round(turns.at(-1)!)} ms`);
      }
      return [
        ...counts.flatMap((count) => {
          const group = `${count} of ${sessions.toLocaleString('en')} pods answer 500`;
          return [
            figure(
              group,
              'a live user waits for the wake: p99',
              'ms',
              measured[count].map((one) => one.wake),
            ),
            figure(
              group,
              'a live session falls asleep after its time: p99',
              'ms',
              measured[count].map((one) => one.late),
            ),
          ];
        }),
        figure(`the session-manager was down for ${down / 1_000} s`, 'the last of 100 users is served after its return', 'ms', back),
        figure('the session-manager is down for 2 s, up for 2 s', 'a user waits for the wake: p99', 'ms', turns),
      ];
    } finally {
      await redis.stop();
    }
  },
};
