import { parseArgs } from 'node:util';
import { numberOption, runCommand, WrongArgument } from '@sandman/testing';
import type { Benchmark, Scale } from './benchmark.ts';
import { memory } from './memory.ts';
import { pings } from './pings.ts';
import { table, writeResult } from './report.ts';

const BENCHMARKS: readonly Benchmark[] = [pings, memory];

/** As it is published. */
const WHOLE: Scale = { rounds: 5, seconds: 8, small: 20_000, large: 1_000_000 };
/** That it runs, and no more. */
const SMOKE: Scale = { rounds: 1, seconds: 1, small: 200, large: 400 };

const HELP = `Measures Sandman beside what else one would use, and beside what Fastify, Redis and BullMQ allow.

  npm run bench                 all of it
  npm run bench -- NAME…        ${BENCHMARKS.map(({ name, about }) => `${name}: ${about}`).join(`\n${' '.repeat(32)}`)}

  --smoke        that it runs, on small fleets; the figures mean nothing
  --rounds N     how often each is measured, in turn with the others (1 to 100; default ${WHOLE.rounds})
  --seconds N    how long each time (1 to 600; default ${WHOLE.seconds})
  --small N      sessions of the smaller fleet (1 to 1000000; default ${WHOLE.small})
  --large N      sessions of the larger one (1 to 5000000; default ${WHOLE.large})
  --out DIR      where the results go as JSON (default bench/results)
  --help

It needs redis-server on the PATH, and starts its own. Leave the machine alone meanwhile. A million sessions take some
2 GB for each of seven contestants.`;

const DEFAULT_OUT = new URL('../results', import.meta.url).pathname;

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
      out: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const standard = values.smoke ? SMOKE : WHOLE;
  const scale: Scale = {
    rounds: numberOption('rounds', values.rounds, { least: 1, most: 100 }) ?? standard.rounds,
    seconds: numberOption('seconds', values.seconds, { least: 1, most: 600 }) ?? standard.seconds,
    small: numberOption('small', values.small, { least: 1, most: 1_000_000 }) ?? standard.small,
    large: numberOption('large', values.large, { least: 1, most: 5_000_000 }) ?? standard.large,
  };
  const stranger = positionals.find((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
  if (stranger !== undefined) throw new WrongArgument(`${stranger} is none of ${BENCHMARKS.map(({ name }) => name).join(', ')}`);
  const startedAt = performance.now();
  const progress = (text: string) => console.log(`${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${text}`);
  for (const benchmark of BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    progress(benchmark.about);
    const figures = await benchmark.run({ scale, progress });
    for (const [group, some] of Map.groupBy(figures, (one) => one.group)) console.log(`\n${group}\n\n${table(some)}`);
    console.log(`\n${writeResult(values.out ?? DEFAULT_OUT, benchmark, scale, figures)}`);
  }
  return 0;
});
