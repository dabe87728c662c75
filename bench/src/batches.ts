import { type Benchmark, type Context, shownSize } from './benchmark.ts';
import { type Figure, figure, interleave, ratio } from './figures.ts';
import { type BenchFleet, SessionCycle } from './fleet.ts';
import { sendBatches } from './load.ts';
import { API_KEY, type BenchProcess, runEntry, runSandman } from './processes.ts';

const FLOOR = 'the script pipelined through ioredis';
const SANDMAN = 'batched events';

/** Sends batches of events to a fleet; `measure` returns how many were accepted per second. */
export interface Batches {
  readonly name: string;
  measure(seconds: number): Promise<number>;
  stop(): Promise<void>;
}

export async function startBatches({ redis, prefix, size }: BenchFleet): Promise<Batches> {
  const api: BenchProcess = await runSandman('api', { redisUrl: redis.url, prefix });
  const turns = new SessionCycle(size);
  return { name: SANDMAN, measure: (seconds) => sendBatches(api.url, API_KEY, seconds, turns.next), stop: api.stop };
}

async function startPipeline({ redis, prefix, size }: BenchFleet): Promise<Batches> {
  const floor = await runEntry('pipelined', { redisUrl: redis.url, prefix, env: { BENCH_SIZE: `${size}` } });
  const measure = async (seconds: number) => Number(await (await fetch(`${floor.url}/${seconds}`)).text());
  return { name: FLOOR, measure, stop: floor.stop };
}

export const batches: Benchmark = {
  name: 'batches',
  about: 'POST /v1/activity, 1,000 events a call, beside the same script pipelined straight through ioredis',
  async run(context: Context): Promise<Figure[]> {
    const { rounds, seconds, warmUp, small } = context.scale;
    const fleet = await context.fleets.get(small, context);
    const group = shownSize(small);
    const contestants = [await startPipeline(fleet), await startBatches(fleet)];
    try {
      if (warmUp) for (const { measure } of contestants) await measure(Math.min(2, seconds));
      const rates = await interleave([FLOOR, SANDMAN] as const, rounds, async (name, round) => {
        const rate = await contestants.find((one) => one.name === name)!.measure(seconds);
        context.progress(`${group}, round ${round + 1} of ${rounds}, ${name}: ${Math.round(rate).toLocaleString('en')} events/s`);
        return rate;
      });
      return [
        figure(group, FLOOR, 'events/s', rates[FLOOR]),
        figure(group, SANDMAN, 'events/s', rates[SANDMAN]),
        ratio(group, `${SANDMAN} ÷ ${FLOOR}`, rates[SANDMAN], rates[FLOOR], { atLeast: 0.8 }),
      ];
    } finally {
      await Promise.all(contestants.map((one) => one.stop()));
    }
  },
};
