import { createReadStream, writeFileSync } from 'node:fs';
import { type Policy, PolicyBook } from '@sandman/core';
import { BadLine, countSessions, type Point, type Result, readTrace, recommend, simulateAll, sweepOf, type Trace } from '@sandman/replay';
import { type Command, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { durationOption, percentOption, policyOption, timeOption } from '../options.ts';
import { Output, type Surroundings } from '../output.ts';
import type { GlobalOptions } from '../settings.ts';
import { showRecommendation, showResults } from '../simulation-tables.ts';
import { Ticker } from '../ticker.ts';
import type { AddCommand } from './command.ts';

interface Options extends GlobalOptions {
  readonly policy?: readonly Policy[];
  readonly until?: string;
  /** ms. */
  readonly wakeTime: number;
  readonly plot?: string;
  /** 0 to 1. */
  readonly recommend?: number;
}

const NOTES = `
A line of the trace is {"uuid", "at", "event"?: "activity" | "logout", "kind"?:
"user" | "background"}, in any order; what else it holds is left alone. A pod
exists from its session's first line; without any cleanup it would run until the
end. A user's activity on a deleted session creates its pod anew.

SAVED is 1 - awake / always on. A regret is a session woken within 5 minutes of
its idle sleep. With --wake-time a pod costs from its wake's beginning, and its
idle time starts when it is awake, because until then its user waits for it.

With --json it is one document, {"sessions", "from", "to", "policies": [...]};
with --recommend also "recommendation".

Examples:
  sandman simulate trace.ndjson
  sandman simulate trace.ndjson --policy balanced --policy '{"sleepAfter":"10m","deleteAfter":"2h"}'
  zcat trace.ndjson.gz | sandman simulate - --recommend 5% --plot sweep.svg`;

async function traceFrom(file: string, { stdin }: Surroundings, ticker: Ticker): Promise<Trace> {
  const chunks = file === '-' ? stdin : createReadStream(file, { highWaterMark: 1 << 20 });
  try {
    return await readTrace(chunks, (lines) => ticker.say(`reading: ${lines.toLocaleString('en')} lines`));
  } catch (error) {
    const of = file === '-' ? 'standard input' : file;
    const unread = !(error instanceof BadLine);
    throw new CommandFailure(EXIT.usage, unread ? `cannot read ${of}: ${(error as Error).message}` : `${of}: ${error.message}`);
  }
}

/** Simulates the policies and, for a plot or a recommendation, those of a parameter sweep. Draws the plot. */
async function simulated(file: string, options: Options, surroundings: Surroundings) {
  using ticker = new Ticker(surroundings.stderr);
  const trace = await traceFrom(file, surroundings, ticker);
  const until = options.until === undefined ? trace.to : Date.parse(options.until);
  const [from, to] = [trace.from, until].map((ms) => new Date(ms).toISOString());
  if (until < trace.from) throw new CommandFailure(EXIT.usage, `--until must not be before the trace's first line, ${from}`);

  const book = new PolicyBook();
  const asked = options.policy ?? book.list();
  const swept = options.plot === undefined && options.recommend === undefined ? [] : sweepOf(options.policy?.[0] ?? book.default);
  // A plot marks the presets, too, even if other policies were asked for.
  const others = options.plot === undefined ? [] : book.list().filter(({ name }) => !asked.some((policy) => policy.name === name));
  const all = [...asked, ...swept, ...others];
  const say = (done: number) => ticker.say(`simulating: ${done} of ${all.length} policies`, true);
  say(0);
  const results = await simulateAll(trace, all, { until, wakeTime: options.wakeTime }, say);
  const policies = results.splice(0, asked.length);
  const points = swept.map((policy): Point => ({ policy, result: results.shift()! }));
  if (options.plot !== undefined) await plot(options.plot, points, [...policies, ...results]);
  const recommendation = options.recommend === undefined ? {} : { recommendation: recommend(points, options.recommend) };
  return { sessions: countSessions(trace, until), from, to, policies, ...recommendation };
}

async function plot(file: string, points: readonly Point[], marked: readonly Result[]): Promise<void> {
  // Loaded only here: it takes a while to load, and only a plot needs it.
  const { drawSweep } = await import('@sandman/replay/plot');
  try {
    writeFileSync(file, drawSweep(points, marked));
  } catch (error) {
    throw new CommandFailure(EXIT.usage, `cannot write --plot: ${(error as Error).message}`);
  }
}

async function run(file: string, options: Options, surroundings: Surroundings): Promise<void> {
  const output = new Output(surroundings, { json: options.json ?? false, color: options.color });
  const done = await simulated(file, options, surroundings);
  if (output.json) return output.document(done);
  output.line(`${done.sessions.toLocaleString('en')} sessions, ${done.from} to ${done.to}\n`);
  showResults(output, done.policies);
  if (done.recommendation) showRecommendation(output, done.recommendation);
}

/** Adds `sandman simulate`, which tells what policies would have cost and saved. */
export const addSimulate: AddCommand = (program, surroundings) => {
  program
    .command('simulate')
    .summary('try policies on a trace of activity')
    .description("Says what policies would have cost and saved, by the rules of the workers' own, on a trace of activity. Needs no server.")
    .argument('<trace>', 'the file, a JSON object a line; - reads standard input')
    .addOption(new Option('--policy <policy>', 'a name, or JSON; several; by default all presets').argParser(policyOption))
    .addOption(new Option('--until <time>', "the end, ISO 8601; by default the trace's last line").argParser(timeOption))
    .addOption(new Option('--wake-time <duration>', 'how long a wake takes').argParser(durationOption(3_600_000, true)).default(0, '0s'))
    .option('--plot <file>', 'draw saved against regrets, for sleepAfter from 1m to 4h, as SVG')
    .addOption(new Option('--recommend <share>', 'a policy with at most so many regrets of its sleeps: 5%').argParser(percentOption))
    .addHelpText('after', NOTES)
    .action((file: string, _, self: Command) => run(file, self.optsWithGlobals<Options>(), surroundings));
};
