import { PolicySet } from '@sandman/core';
import { startBatches } from './batches.ts';
import { type Benchmark, type Context, shownSize } from './benchmark.ts';
import { measureBurst } from './burst.ts';
import { startContestant } from './contestants.ts';
import { type Figure, figure, interleave, ratio } from './figures.ts';
import { type BenchFleet, FleetCache, SessionCycle } from './fleet.ts';
import { measurePings } from './pings.ts';
import { type BenchProcess, runEntry, runSandman } from './processes.ts';

const NO_MOVES = 'pings, no moves';
const MOVING = 'pings, each moves both alarms';
const BATCHES = 'batched events';
const BURST = 'burst';

/** Keeps sessions awake throughout the run. Only those of the burst may become due, or workers would be busy with others. */
const LASTING_POLICY = { ...new PolicySet().default, name: 'custom', sleepAfter: 4 * 3_600_000 };

/** Prepares one fleet and returns its measurements by name. */
async function prepareFleet(
  fleet: BenchFleet,
  context: Context,
  stop: (() => Promise<void>)[],
): Promise<Record<string, (round: number) => Promise<number>>> {
  const { seconds, due } = context.scale;
  const { redis, prefix, size } = fleet;
  const turns = new SessionCycle(size);
  const keep = <T extends Pick<BenchProcess, 'stop'>>(one: T): T => {
    stop.push(one.stop);
    return one;
  };
  const pinged = async (slack: string) => {
    const api = keep(await startContestant({ name: 'Sandman', how: 'sandman', slack }, redis.url, prefix, ''));
    return async () => (await measurePings({ url: api.url, next: turns.next }, redis, seconds)).perSecond;
  };
  const batches = keep(await startBatches(fleet));
  const count = Math.min(due, size);
  const burst = async (round: number) => {
    const settings = { redisUrl: redis.url, prefix };
    const sessionManager = await runEntry('session-manager', settings);
    const worker = await runSandman('worker', { ...settings, sessionManager: sessionManager.url });
    try {
      return await measureBurst(redis.url, prefix, size + round * count, count, { ...context, progress: () => {} });
    } finally {
      await worker.stop();
      await sessionManager.stop();
    }
  };
  return { [NO_MOVES]: await pinged('100%'), [MOVING]: await pinged('0%'), [BATCHES]: () => batches.measure(seconds), [BURST]: burst };
}

const UNITS: Readonly<Record<string, string>> = { [NO_MOVES]: 'pings/s', [MOVING]: 'pings/s', [BATCHES]: 'events/s', [BURST]: 's' };

export const growth: Benchmark = {
  name: 'growth',
  about: 'Pings, batches and a burst on fleets of ten thousand, a hundred thousand and a million',
  async run(context): Promise<Figure[]> {
    const { large, rounds, warmUp } = context.scale;
    const sizes = [100, 10, 1].map((part) => Math.round(large / part));
    const fleets = new FleetCache({ policyOf: () => LASTING_POLICY });
    const stop: (() => Promise<void>)[] = [() => fleets.stop()];
    try {
      const measures = new Map<string, (round: number) => Promise<number>>();
      for (const size of sizes) {
        const all = await prepareFleet(await fleets.get(size, context), context, stop);
        for (const [what, run] of Object.entries(all)) measures.set(`${shownSize(size)}: ${what}`, run);
      }
      if (warmUp) for (const [name, run] of measures) if (!name.endsWith(BURST)) await run(0);
      const measured = await interleave([...measures.keys()], rounds, async (name, round) => {
        const value = await measures.get(name)!(round);
        context.progress(`round ${round + 1} of ${rounds}, ${name}: ${value.toFixed(1)}`);
        return value;
      });
      const of = (size: number, what: string) => measured[`${shownSize(size)}: ${what}`]!;
      const names = Object.keys(UNITS);
      return [
        ...sizes.flatMap((size) =>
          names.map((what) => {
            const shown = what === BURST ? `${shownSize(Math.min(context.scale.due, size))} due at once, one worker` : what;
            return figure(shownSize(size), shown, UNITS[what]!, of(size, what));
          }),
        ),
        ...names
          .filter((what) => what !== BURST)
          .map((what) => {
            const goal = UNITS[what] === 'pings/s' ? { atLeast: 0.85 } : undefined;
            return ratio(`${shownSize(large)} ÷ ${shownSize(sizes[0]!)}`, what, of(large, what), of(sizes[0]!, what), goal);
          }),
      ];
    } finally {
      await Promise.all(stop.map((end) => end()));
    }
  },
};
