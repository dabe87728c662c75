import { askRedis, type RedisServer, startRedis } from '@sandman/testing';
import type { Benchmark, Context } from './benchmark.ts';
import { API_KEY, Contestant, type Kind } from './contestants.ts';
import { type Figure, figure, type Goal, interleave, ratio } from './figures.ts';
import { ping } from './load.ts';
import { WAYS } from './ways.ts';

const FLOOR = 'floor';
const SANDMAN = 'Sandman';
const SLACK = 'Sandman, 25 % slack';

const KINDS: readonly Kind[] = [
  { name: FLOOR, how: 'floor' },
  { name: SANDMAN, how: 'sandman' },
  { name: SLACK, how: 'sandman', slack: '25%' },
  ...WAYS.map((way) => ({ name: way, how: way })),
];

/** An answer of the API's, as long as each is: the floor gives it to everybody. */
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

/** Before it counts, s: until the code is compiled. */
const WARM_UP_S = 2;

interface Work {
  /** Scripts that Redis ran. */
  readonly scripts: number;
  /** Its processor time, s. */
  readonly cpu: number;
}

/** What Redis has done so far. */
async function workOf(redis: RedisServer): Promise<Work> {
  return askRedis(redis, async (connection) => {
    const info = await connection.info('everything');
    const number = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
    const scripts = number(/cmdstat_evalsha:calls=(\d+)/) + number(/cmdstat_eval:calls=(\d+)/);
    return { scripts, cpu: number(/used_cpu_user:([\d.]+)/) + number(/used_cpu_sys:([\d.]+)/) };
  });
}

/** What the floor is compared with, and what else one would use. */
function goalsOf(kind: string, isLarge: boolean): Goal | undefined {
  if (kind === SANDMAN) return { atLeast: isLarge ? 0.5 : 0.8 };
  if (kind === SLACK && isLarge) return { atLeast: 0.8 };
  return undefined;
}
const TIMES_OF_A_WAY: Readonly<Record<(typeof WAYS)[number], number | null>> = {
  'remove + add': 2.5,
  deduplication: 2,
  changeDelay: 1.3,
  ZSET: null,
};

async function at(size: number, isLarge: boolean, context: Context): Promise<Figure[]> {
  const { rounds, seconds } = context.scale;
  const group = `${size.toLocaleString('en')} sessions`;
  const redis = await startRedis();
  const contestants = new Map<string, Contestant>();
  try {
    for (const kind of KINDS) contestants.set(kind.name, await Contestant.start(kind, redis.url, size, ANSWER, context));
    for (const { url, next } of contestants.values()) await ping(url, API_KEY, Math.min(WARM_UP_S, seconds), next);
    const names = KINDS.map(({ name }) => name);
    const measured = await interleave(names, rounds, async (name, round) => {
      const { url, next } = contestants.get(name)!;
      const before = await workOf(redis);
      const load = await ping(url, API_KEY, seconds, next);
      const after = await workOf(redis);
      context.progress(`${group}, round ${round + 1} of ${rounds}, ${name}: ${Math.round(load.perSecond).toLocaleString('en')} pings/s`);
      return {
        ...load,
        moves: (after.scripts - before.scripts - load.answered) / load.answered,
        cpu: ((after.cpu - before.cpu) / load.answered) * 1e6,
      };
    });
    const per = (name: string, what: 'perSecond' | 'p99' | 'moves' | 'cpu') => measured[name]!.map((one) => one[what]);
    const rates = (name: string) => per(name, 'perSecond');
    return [
      ...names.map((name) => figure(group, name, 'pings/s', rates(name))),
      ...names.map((name) => figure(group, `${name}: 99 % are answered within`, 'ms', per(name, 'p99'))),
      ...names.map((name) => figure(group, `${name}: further scripts per ping`, '', per(name, 'moves'))),
      ...names.map((name) => figure(group, `${name}: Redis’ processor time per ping`, 'µs', per(name, 'cpu'))),
      ...names.slice(1).map((name) => ratio(group, `${name} ÷ floor`, rates(name), rates(FLOOR), goalsOf(name, isLarge))),
      ...WAYS.map((way) => {
        const times = isLarge ? null : TIMES_OF_A_WAY[way];
        return ratio(group, `Sandman ÷ ${way}`, rates(SANDMAN), rates(way), times === null ? undefined : { atLeast: times });
      }),
    ];
  } finally {
    await Promise.all([...contestants.values()].map((contestant) => contestant.stop()));
    await redis.stop();
  }
}

export const pings: Benchmark = {
  name: 'pings',
  about: 'Pings over HTTP, one API process, 64 connections, spread over all sessions',
  async run(context) {
    const { small, large } = context.scale;
    return [...(await at(small, false, context)), ...(await at(large, true, context))];
  },
};
