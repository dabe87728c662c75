import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';
import { parseNumberOption, runCommand, WrongArgument } from '@sandman/sandbox';
import { MUTANTS, type Mutant, mutate } from './mutants.ts';

const HELP = `Runs histories of a simulated deployment against the production lifecycle until one breaks a promise.

  npm run simulate:soak -- --minutes N     for N minutes (0.1 to 1440), as many as fit
  npm run simulate -- --histories N        N of them (1 to 100000000; default 1000)
  npm run simulate -- --seed N             the one of that seed, event by event

  --from N        the first seed (default: 1; of a soak: drawn by lot, and printed)
  --mutant NAME   with that mistake in the code; --mutants lists them
  --help

Exits with 0 when every promise was kept, 1 when one was broken, 2 on wrong arguments.`;

/** How many histories run side by side at most. The first ones are few, because most mistakes show at once. */
const HISTORIES_AT_ONCE = 100;
const PROGRESS_MS = 5_000;
const LARGEST_SEED = 0xffff_ffff;

function parseOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string' },
      histories: { type: 'string' },
      seed: { type: 'string' },
      from: { type: 'string' },
      mutant: { type: 'string' },
      mutants: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const mutant = MUTANTS.find(({ name }) => name === values.mutant);
  if (values.mutant !== undefined && !mutant)
    throw new WrongArgument(`--mutant must be one of ${MUTANTS.map(({ name }) => name).join(', ')}`);
  if (values.minutes !== undefined && values.histories !== undefined)
    throw new WrongArgument('--minutes and --histories exclude one another');
  return {
    help: values.help,
    mutants: values.mutants,
    mutant,
    minutes: parseNumberOption('minutes', values.minutes, { least: 0.1, most: 1_440, whole: false }),
    histories: parseNumberOption('histories', values.histories, { least: 1, most: 100_000_000 }),
    seed: parseNumberOption('seed', values.seed, { least: 0, most: LARGEST_SEED }),
    from: parseNumberOption('from', values.from, { least: 0, most: LARGEST_SEED }),
  };
}

/** Applies the mutant when its module is loaded; the file is not changed. */
function plantMutant(mutant: Mutant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      return url.endsWith(`/packages/${mutant.file}`) ? { ...loaded, source: mutate(mutant, String(loaded.source)) } : loaded;
    },
  });
}

async function main(args: string[]): Promise<number> {
  const asked = parseOptions(args);
  if (asked.help) {
    console.log(HELP);
    return 0;
  }
  if (asked.mutants) {
    for (const { name, rule } of MUTANTS) console.log(`${name.padEnd(46)} leaves out: ${rule}`);
    return 0;
  }
  if (asked.mutant) plantMutant(asked.mutant);
  // Imported here, because a mutant must be planted before its module is loaded.
  const { runHistories } = await import('./history.ts');
  const { HistoryTotals } = await import('./history-totals.ts');

  if (asked.seed !== undefined) {
    const [history] = await runHistories([asked.seed], console.log);
    console.log(history?.violation ? `broken: ${history.violation}` : 'every promise was kept');
    return history?.violation ? 1 : 0;
  }
  const first = asked.from ?? (asked.minutes === undefined ? 1 : Math.floor(Math.random() * LARGEST_SEED));
  const until = asked.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + asked.minutes * 60_000;
  const histories = asked.minutes === undefined ? (asked.histories ?? 1_000) : Number.POSITIVE_INFINITY;
  console.log(`from seed ${first}`);
  const totals = new HistoryTotals();
  let shownAt = performance.now();
  while (totals.histories < histories && performance.now() < until) {
    const size = Math.min(HISTORIES_AT_ONCE, Math.max(1, totals.histories), histories - totals.histories);
    const seeds = Array.from({ length: size }, (_, i) => (first + totals.histories + i) % (LARGEST_SEED + 1));
    const broken = totals.add(await runHistories(seeds));
    if (broken) {
      console.log(
        `${totals}\nbroken: ${broken.violation}\nreplay: npm run simulate -- --seed ${broken.seed}${asked.mutant ? ` --mutant ${asked.mutant.name}` : ''}`,
      );
      return 1;
    }
    if (performance.now() - shownAt > PROGRESS_MS) {
      shownAt = performance.now();
      console.log(`${totals}`);
    }
  }
  console.log(`${totals}\nevery promise was kept`);
  return 0;
}

await runCommand(main);
