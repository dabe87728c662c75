import { parseArgs } from 'node:util';
import { parseNumberOption, runCommand, WrongArgument } from '@sandman/sandbox';
import { attacks } from './attacks.ts';
import { batches } from './batches.ts';
import type { Benchmark, Scale } from './benchmark.ts';
import { brokenPods } from './broken.ts';
import { burst } from './burst.ts';
import { chats } from './chat.ts';
import { FleetCache } from './fleet.ts';
import { growth } from './growth.ts';
import { lateness } from './lateness.ts';
import { memory } from './memory.ts';
import { pings } from './pings.ts';
import { writePlot } from './plots.ts';
import { table, writeResult } from './report.ts';
import { start } from './start.ts';

/** Memory runs first, because it must measure its fleets as they were made. */
const BENCHMARKS: readonly Benchmark[] = [memory, pings, batches, lateness, burst, growth, chats, start, brokenPods, attacks];

/** The scale of the published figures. */
const WHOLE: Scale = { rounds: 5, seconds: 8, warmUp: true, small: 20_000, large: 1_000_000, due: 20_000, scan: 300 };
/** A scale that only shows that each benchmark runs. */
const SMOKE: Scale = { rounds: 1, seconds: 0.2, warmUp: false, small: 100, large: 1_000, due: 50, scan: 1 };

const HELP = `Measures Sandman beside what else one would use, and beside what Fastify, Redis and BullMQ allow.

  npm run bench                 all of it
  npm run bench -- NAME…        ${BENCHMARKS.map(({ name, about }) => `${name}: ${about}`).join(`\n${' '.repeat(32)}`)}

  --smoke        that it runs, on small fleets; the figures mean nothing
  --rounds N     how often each is measured, in turn with the others (1 to 100; default ${WHOLE.rounds})
  --seconds N    how long each time (1 to 600; default ${WHOLE.seconds})
  --small N      sessions of the smaller fleet (1 to 1000000; default ${WHOLE.small})
  --large N      sessions of the larger one (100 to 5000000; default ${WHOLE.large})
  --due N        sessions that are due at once (1 to 100000; default ${WHOLE.due})
  --out DIR      where the results go as JSON (default bench/results)
  --plots DIR    where plots go (default docs/images; with --smoke the same as --out)
  --help

It needs redis-server on the PATH, and starts its own; a million sessions take some 3 GB. All of it takes about an
hour, so leave the machine alone meanwhile.`;

const DEFAULT_OUT = new URL('../results', import.meta.url).pathname;
const DEFAULT_PLOTS = new URL('../../docs/images', import.meta.url).pathname;

await runCommand(async (args) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      small: { type: 'string' },
      large: { type: 'string' },
      due: { type: 'string' },
      out: { type: 'string' },
      plots: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const standard = values.smoke ? SMOKE : WHOLE;
  const scale: Scale = {
    ...standard,
    rounds: parseNumberOption('rounds', values.rounds, { least: 1, most: 100 }) ?? standard.rounds,
    seconds: parseNumberOption('seconds', values.seconds, { least: 1, most: 600 }) ?? standard.seconds,
    small: parseNumberOption('small', values.small, { least: 1, most: 1_000_000 }) ?? standard.small,
    large: parseNumberOption('large', values.large, { least: 100, most: 5_000_000 }) ?? standard.large,
    due: parseNumberOption('due', values.due, { least: 1, most: 100_000 }) ?? standard.due,
  };
  const stranger = positionals.find((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
  if (stranger !== undefined) throw new WrongArgument(`${stranger} is none of ${BENCHMARKS.map(({ name }) => name).join(', ')}`);
  const startedAt = performance.now();
  const progress = (text: string) => console.log(`${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${text}`);
  const out = values.out ?? DEFAULT_OUT;
  const fleets = new FleetCache();
  try {
    for (const benchmark of BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
      progress(benchmark.about);
      const figures = await benchmark.run({ scale, fleets, progress });
      for (const [group, some] of Map.groupBy(figures, (one) => one.group)) console.log(`\n${group}\n\n${table(some)}`);
      console.log(`\n${writeResult(out, benchmark, scale, figures)}`);
      const plot = writePlot(values.plots ?? (values.smoke ? out : DEFAULT_PLOTS), benchmark.name, figures);
      if (plot) console.log(plot);
    }
  } finally {
    await fleets.stop();
  }
  return 0;
});
