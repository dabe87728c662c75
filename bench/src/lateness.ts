import { AlarmQueues } from '@sandman/queue';
import { type RedisServer, startRedis } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import type { Benchmark, Context } from './benchmark.ts';
import { dueAt, dueTimeFor } from './burst.ts';
import { type Figure, figure, type Goal, interleave } from './figures.ts';
import { fillFleet, uuidOf } from './fleet.ts';
import { type BenchProcess, type ProcessSettings, runEntry, runSandman } from './processes.ts';
import { SleepCallLog } from './sleep-call-log.ts';

const SANDMAN = 'Sandman';
const POLLER = 'poller, 50 ms';
const SCAN = '5-minute scan';

/** Values of Redis' `hz`, its timer runs per second: the one that Sandman recommends, and Redis' default. */
const HZ = [100, 10] as const;
const RATES = [10, 200, 1_000] as const;
const POLL_MS = 50;
const TIMEOUT_MS = 60_000;
/** Sessions that fall due between two runs of the slow scan. */
const SCANNED = 1_000;

/** The goal for the p99 at 200 due per second, in ms, by `hz`. */
const LATENESS_GOALS_MS: Readonly<Record<(typeof HZ)[number], number>> = { 100: 25, 10: 120 };

interface LatenessSpread {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

/** @param late one or more, ms */
function latenessSpread(late: readonly number[]): LatenessSpread {
  const sorted = late.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { p50: at(0.5), p99: at(0.99), most: sorted.at(-1)! };
}

/** One Redis, one session-manager, and the processes that send it sleep calls. */
class LatenessTestbed {
  readonly #running: BenchProcess[] = [];
  readonly #redis: RedisServer;
  readonly #client: Redis;
  readonly #alarms: AlarmQueues;
  readonly #callLog: SleepCallLog;
  #made = 0;

  private constructor(redis: RedisServer, sessionManager: BenchProcess) {
    this.#redis = redis;
    this.#running.push(sessionManager);
    this.#client = new Redis(redis.url, { enableAutoPipelining: true });
    this.#alarms = new AlarmQueues(this.#client, SANDMAN, 1, () => {});
    this.#callLog = new SleepCallLog(sessionManager.url);
  }

  static async open(hz: number): Promise<LatenessTestbed> {
    const redis = await startRedis({ settings: ['--hz', `${hz}`] });
    return new LatenessTestbed(redis, await runEntry('session-manager', { redisUrl: redis.url, prefix: '' }));
  }

  get #settings(): ProcessSettings {
    return { redisUrl: this.#redis.url, prefix: SANDMAN, sessionManager: this.#running[0]!.url };
  }

  async startSandman(): Promise<void> {
    this.#running.push(await runSandman('api', this.#settings), await runSandman('worker', this.#settings));
  }

  async startPoller(ms: number): Promise<void> {
    this.#running.push(await runEntry('poller', { ...this.#settings, env: { BENCH_EVERY: `${ms}` } }));
  }

  /** Measures how late Sandman puts sessions to sleep when `rate` of them are due per second. */
  async sandman(rate: number, count: number, context: Context): Promise<LatenessSpread> {
    const first = dueTimeFor(count);
    const policyOf = dueAt((i) => first + (i * 1_000) / rate);
    const due = await fillFleet(this.#client, SANDMAN, this.#alarms, count, context, { from: this.#take(count), policyOf });
    return this.#late(due);
  }

  /** Measures the same for sessions in a sorted set that a poller reads. @param first when the first one is due, ms */
  async polled(rate: number, count: number, first = dueTimeFor(count), timeout = TIMEOUT_MS): Promise<LatenessSpread> {
    const from = this.#take(count);
    const due = new Map(Array.from({ length: count }, (_, i) => [uuidOf(from + i), first + (i * 1_000) / rate]));
    await this.#client.zadd(`${SANDMAN}:due`, ...[...due].flatMap(([uuid, at]) => [at, uuid]));
    return this.#late(due, timeout);
  }

  async close(): Promise<void> {
    await this.#alarms.close();
    this.#client.disconnect();
    await Promise.all(this.#running.map((one) => one.stop()));
    await this.#redis.stop();
  }

  #take(count: number): number {
    this.#made += count;
    return this.#made - count;
  }

  async #late(due: ReadonlyMap<string, number>, timeout = TIMEOUT_MS): Promise<LatenessSpread> {
    await this.#callLog.all(due.keys(), Math.max(...due.values()) - Date.now() + timeout);
    return latenessSpread([...due].map(([uuid, at]) => this.#callLog.arrivals.get(uuid)! - at));
  }
}

function latenessFigures(group: string, name: string, late: readonly LatenessSpread[], goal?: Goal): Figure[] {
  return (['p50', 'p99', 'most'] as const).map((what) => {
    const rounds = late.map((one) => one[what]);
    return figure(group, `${name}: ${what}`, 'ms', rounds, what === 'p99' ? goal : undefined);
  });
}

async function latenessAt(hz: (typeof HZ)[number], context: Context): Promise<Figure[]> {
  const { rounds, seconds, warmUp } = context.scale;
  const figures: Figure[] = [];
  const [sandman, poller] = [await LatenessTestbed.open(hz), await LatenessTestbed.open(hz)];
  try {
    await sandman.startSandman();
    await poller.startPoller(POLL_MS);
    // An uncounted run first, so that the code is compiled.
    if (warmUp) await sandman.sandman(RATES[1], RATES[1] * seconds, { ...context, progress: () => {} });
    for (const rate of RATES) {
      const group = `${rate.toLocaleString('en')} due/s, hz ${hz}`;
      const count = rate * seconds;
      const late = await interleave([SANDMAN, POLLER] as const, rounds, async (name, round) => {
        const found = await (name === SANDMAN
          ? sandman.sandman(rate, count, { ...context, progress: () => {} })
          : poller.polled(rate, count));
        context.progress(`${group}, round ${round + 1} of ${rounds}, ${name}: p99 ${Math.round(found.p99)} ms`);
        return found;
      });
      const goal = rate === 200 ? { atMost: LATENESS_GOALS_MS[hz] } : undefined;
      figures.push(...latenessFigures(group, SANDMAN, late[SANDMAN], goal), ...latenessFigures(group, POLLER, late[POLLER]));
    }
    return figures;
  } finally {
    await Promise.all([sandman.close(), poller.close()]);
  }
}

/** Measures one run of a scan, which finds what has become due since the run before. */
async function measureScan({ scan }: Context['scale']): Promise<Figure[]> {
  const stage = await LatenessTestbed.open(HZ[0]);
  try {
    await stage.startPoller(scan * 1_000);
    const rate = SCANNED / scan;
    // All but the last few are due before the scan runs.
    return latenessFigures(`${rate.toFixed(1)} due/s`, SCAN, [await stage.polled(rate, SCANNED, Date.now(), 3 * scan * 1_000)]);
  } finally {
    await stage.close();
  }
}

export const lateness: Benchmark = {
  name: 'lateness',
  about: 'How late sessions are put to sleep, at 10, 200 and 1,000 due per second, beside a poller and a slow scan',
  async run(context) {
    // The scan only waits, so the other measurements run meanwhile.
    const scan = measureScan(context.scale);
    scan.catch(() => {});
    const figures: Figure[] = [];
    for (const hz of HZ) figures.push(...(await latenessAt(hz, context)));
    context.progress(`the scan that looks every ${context.scale.scan} s is waited for`);
    return [...figures, ...(await scan)];
  },
};
