import { askRedis, type RedisServer, startRedis } from '@sandman/sandbox';
import { FIELDS } from '@sandman/store';
import { Redis } from 'ioredis';
import { ALARM_STRATEGIES, type AlarmStrategy, alarmsWith } from './alarm-strategies.ts';
import { type Benchmark, type Context, shownSize } from './benchmark.ts';
import { type Contestant, type ContestantKind, startContestant, withOwnFleet } from './contestants.ts';
import { type Figure, figure, type Goal, interleave, ratio } from './figures.ts';
import { type BenchFleet, SessionCycle, uuidOf } from './fleet.ts';
import { type LoadResult, sendPings } from './load.ts';
import { API_KEY } from './processes.ts';

const FLOOR = 'floor';
const SANDMAN = 'Sandman';
const SLACK = 'Sandman, 25 % slack';

const CONTESTANT_KINDS: readonly ContestantKind[] = [
  { name: FLOOR, how: 'floor' },
  { name: SANDMAN, how: 'sandman' },
  { name: SLACK, how: 'sandman', slack: '25%' },
  ...ALARM_STRATEGIES.map((way) => ({ name: way, how: way })),
];

/** An answer as long as each of the API's. The floor gives it to every caller. */
const ANSWER = JSON.stringify({
  uuid: '00000000',
  userId: '00000000@example.com',
  workspaceUrl: 'https://00000000.pods.example.com',
  status: 'active',
  policy: { name: 'balanced', sleepAfter: '15m', deleteAfter: '1d', backgroundCap: '4h' },
  createdAt: '2026-01-01T00:00:00.000Z',
  lastActivity: '2026-01-01T00:00:00.000Z',
  sleepAt: '2026-01-01T00:00:00.000Z',
  sleptAt: null,
  deleteAt: '2026-01-01T00:00:00.000Z',
  holdUntil: null,
  problem: null,
});

/** Time before anything is measured, in s, so that the code is compiled. */
const WARM_UP_S = 4;
/** Time before each turn, in s. Pings each session once, so that the pause during the others' turns does not count. */
const LEAD_S = 2;
/** More pings per second than any contestant takes. */
const PING_RATE_CEILING = 25_000;
/** The `sleepAfter` of the default policy, in ms. */
const SLEEP_AFTER_MS = 900_000;

interface RedisWork {
  /** Alarms moved per ping. */
  readonly moves: number;
  /** Redis' processor time per ping, in µs. */
  readonly cpu: number;
}
export type Measured = LoadResult & RedisWork;

/** Returns what Redis has done so far: alarms that BullMQ has placed, and processor time in s. */
async function redisWork(redis: RedisServer): Promise<RedisWork> {
  return askRedis(redis, async (connection) => {
    const info = await connection.info('everything');
    const number = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
    return {
      // BullMQ's scripts call it once for each delayed job that they place; nothing else calls it.
      moves: number(/cmdstat_zrevrangebyscore:calls=(\d+)/),
      cpu: number(/used_cpu_user:([\d.]+)/) + number(/used_cpu_sys:([\d.]+)/),
    };
  });
}

/** Sends pings for `seconds` and measures what Redis had to do for them. */
export async function measurePings(
  { url, next }: Pick<Contestant, 'url' | 'next'>,
  redis: RedisServer,
  seconds: number,
): Promise<Measured> {
  const before = await redisWork(redis);
  const load = await sendPings(url, API_KEY, seconds, next);
  const after = await redisWork(redis);
  return {
    ...load,
    moves: (after.moves - before.moves) / load.answered,
    cpu: ((after.cpu - before.cpu) / load.answered) * 1e6,
  };
}

/** Returns the goal for the ratio of a contestant to the floor; the constant below has the goals for Sandman to other ways. */
function floorGoal(kind: string, isLarge: boolean): Goal | undefined {
  if (kind === SANDMAN) return { atLeast: isLarge ? 0.5 : 0.8 };
  if (kind === SLACK && isLarge) return { atLeast: 0.8 };
  return undefined;
}
const STRATEGY_GOALS: Readonly<Record<AlarmStrategy, number | null>> = {
  'remove + add': 2.5,
  deduplication: 2,
  changeDelay: 1.3,
  ZSET: null,
};

function pingFigures(group: string, measured: Readonly<Record<string, Measured[]>>, isLarge: boolean): Figure[] {
  const names = Object.keys(measured);
  const per = (name: string, what: 'perSecond' | 'p99' | keyof RedisWork) => measured[name]!.map((one) => one[what]);
  const rates = (name: string) => per(name, 'perSecond');
  return [
    ...names.map((name) => figure(group, name, 'pings/s', rates(name))),
    ...names.slice(1).map((name) => ratio(group, `${name} ÷ floor`, rates(name), rates(FLOOR), floorGoal(name, isLarge))),
    ...ALARM_STRATEGIES.map((way) => {
      const times = isLarge ? null : STRATEGY_GOALS[way];
      return ratio(group, `Sandman ÷ ${way}`, rates(SANDMAN), rates(way), times === null ? undefined : { atLeast: times });
    }),
    ...names.map((name) => figure(group, `${name}: 99 % are answered within`, 'ms', per(name, 'p99'))),
    ...names.map((name) => figure(group, `${name}: alarms moved per ping`, '', per(name, 'moves'))),
    ...names.map((name) => figure(group, `${name}: Redis’ processor time per ping`, 'µs', per(name, 'cpu'))),
  ];
}

async function compare(
  group: string,
  contestants: ReadonlyMap<string, Contestant>,
  redis: RedisServer,
  { scale, progress }: Context,
  prepare: (name: string) => Promise<void> = async () => {},
): Promise<Record<string, Measured[]>> {
  if (scale.warmUp) {
    for (const contestant of contestants.values()) await measurePings(contestant, redis, Math.min(WARM_UP_S, scale.seconds));
  }
  return interleave([...contestants.keys()], scale.rounds, async (name, round) => {
    await prepare(name);
    const measured = await measurePings(contestants.get(name)!, redis, scale.seconds);
    const rate = Math.round(measured.perSecond).toLocaleString('en');
    progress(`${group}, round ${round + 1} of ${scale.rounds}, ${name}: ${rate} pings/s`);
    return measured;
  });
}

/** Measures each contestant on a fleet of its own. */
async function small(context: Context): Promise<Figure[]> {
  const group = shownSize(context.scale.small);
  const redis = await startRedis();
  const contestants = new Map<string, Contestant>();
  try {
    for (const kind of CONTESTANT_KINDS) {
      context.progress(`${kind.name}: ${group} are being made`);
      contestants.set(kind.name, await withOwnFleet(kind, redis.url, context.scale.small, ANSWER, context));
    }
    const { seconds, warmUp } = context.scale;
    const measured = await compare(group, contestants, redis, context, async (name) => {
      if (warmUp) await measurePings(contestants.get(name)!, redis, Math.min(LEAD_S, seconds));
    });
    return pingFigures(group, measured, false);
  } finally {
    await Promise.all([...contestants.values()].map((contestant) => contestant.stop()));
    await redis.stop();
  }
}

/** Adds to each session of a fleet the data that a way needs. */
async function prepareStrategy(way: AlarmStrategy, { redis: { url }, prefix, size }: BenchFleet): Promise<void> {
  // The other two ways move the jobs that already exist.
  if (way !== 'deduplication' && way !== 'ZSET') return;
  const redis = new Redis(url, { enableAutoPipelining: true });
  const alarms = alarmsWith(way, redis, prefix);
  for (let from = 0; from < size; from += 1_000) {
    const some = Array.from({ length: Math.min(1_000, size - from) }, (_, i) => uuidOf(from + i));
    await Promise.all(some.map((uuid) => alarms.arm(uuid, 0, [{ name: 'sleep', at: Date.now() + SLEEP_AFTER_MS }])));
  }
  await alarms.close();
  redis.disconnect();
}

/**
 * Sets the anchors so that every third of these sessions moves its sleep alarm with the next ping under a slack of 25 % (225 s),
 * as under steady traffic: among a million sessions with some 11,000 pings per second, each is pinged every 90 s.
 */
async function ageAnchors({ redis: { url }, prefix }: BenchFleet, uuids: readonly string[]): Promise<void> {
  const redis = new Redis(url, { enableAutoPipelining: true });
  const now = Date.now();
  const age = (uuid: string, i: number) =>
    redis.hset(`{${prefix}:0}:session:${uuid}`, FIELDS.sleepAnchor, i % 3 === 0 ? now - SLEEP_AFTER_MS / 3 : now);
  for (let from = 0; from < uuids.length; from += 999) await Promise.all(uuids.slice(from, from + 999).map(age));
  redis.disconnect();
}

/**
 * Measures all contestants on one fleet, because a million sessions take minutes to make. For each contestant, the last ping of a
 * session is so long ago that its alarm must move.
 */
async function large(context: Context): Promise<Figure[]> {
  const { scale, progress } = context;
  const fleet = await context.fleets.get(scale.large, context);
  const group = shownSize(fleet.size);
  progress(`${group}: what the other ways need is being made`);
  for (const way of ALARM_STRATEGIES) await prepareStrategy(way, fleet);
  const turns = new SessionCycle(fleet.size);
  const contestants = new Map<string, Contestant>();
  try {
    for (const kind of CONTESTANT_KINDS) {
      contestants.set(kind.name, { ...(await startContestant(kind, fleet.redis.url, fleet.prefix, ANSWER)), next: turns.next });
    }
    const measured = await compare(group, contestants, fleet.redis, context, async (name) => {
      if (name === SLACK) await ageAnchors(fleet, turns.ahead(Math.min(fleet.size, scale.seconds * PING_RATE_CEILING)));
    });
    return pingFigures(group, measured, true);
  } finally {
    await Promise.all([...contestants.values()].map((contestant) => contestant.stop()));
  }
}

export const pings: Benchmark = {
  name: 'pings',
  about: 'Pings over HTTP, one API process, 64 connections, spread over all sessions',
  run: async (context) => [...(await small(context)), ...(await large(context))],
};
