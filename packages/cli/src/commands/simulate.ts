import { writeFileSync } from 'node:fs';
import { describePolicy, type Policy, PolicySet } from '@sandman/core';
import {
  countSessions,
  DELETE_AFTERS,
  deleteSteps,
  deleteSweep,
  parameterSweep,
  recommend,
  recommendDelete,
  type SimulationResult,
  type SweepPoint,
  simulateAll,
} from '@sandman/replay';
import type { PlottedSweeps } from '@sandman/replay/plot';
import { type Command, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { durationOption, percentOption, policyOption, priceOption, timeOption } from '../options.ts';
import { Output, type ProcessIo } from '../output.ts';
import { ProgressLine } from '../progress-line.ts';
import type { GlobalOptions } from '../settings.ts';
import { showDeleteSweep, showRecommendation, showRecommendedDelete, showResults } from '../simulation-tables.ts';
import { traceFrom } from '../traces/input.ts';
import type { AddCommand } from './command.ts';

interface Options extends GlobalOptions {
  readonly policy?: readonly Policy[];
  readonly until?: string;
  /** ms. */
  readonly wakeTime: number;
  readonly plot?: string;
  /** 0 to 1. */
  readonly recommend?: number;
  readonly recommendDelete?: number;
  /** Of an awake pod for an hour. */
  readonly price?: number;
}

const NOTES = `
A line of the trace is {"uuid", "at", "event"?: "activity" | "logout", "kind"?:
"user" | "background"}, in any order; what else it holds is left alone. A pod
exists from its session's first line; without any cleanup it would run until the
end. A user's activity on a deleted session creates its pod anew.

SAVED is 1 - awake / always on. A regret is a session woken within 5 minutes of
its idle sleep. With --wake-time a pod costs from its wake's beginning, and its
idle time starts when it is awake, because until then its user waits for it.

HOURS AWAKE are the pod-hours that are left to pay, with --price as money in COST.
DAYS ASLEEP are the pod-days for which storage keeps the data of sleeping pods.
LOST RETURNS are the users' returns that found the pod deleted: RECREATED /
(WAKES + RECREATED).

With --json it is one document, {"sessions", "from", "to", "policies": [...]};
with --recommend also "recommendation", with --recommend-delete also
"recommendedDelete", and with either "deleteSweep".

Examples:
  sandman simulate trace.ndjson
  sandman simulate trace.ndjson --policy balanced --policy '{"sleepAfter":"10m","deleteAfter":"2h"}'
  sandman simulate trace.ndjson --recommend-delete 5% --price 0.12
  zcat trace.ndjson.gz | sandman simulate - --recommend 5% --plot sweep.svg`;

/** Returns the policy of which the sweeps vary a value. */
function variedPolicy({ policy }: Options): Policy {
  return policy?.[0] ?? new PolicySet().default;
}

/** Simulates the policies and, for a plot or a recommendation, those of the parameter sweeps. Draws the plot. */
async function simulated(file: string, options: Options, io: ProcessIo) {
  using progressLine = new ProgressLine(io.stderr);
  const trace = await traceFrom(file, io.stdin, progressLine);
  const until = options.until === undefined ? trace.to : Date.parse(options.until);
  const [from, to] = [new Date(trace.from).toISOString(), new Date(until).toISOString()];
  if (until < trace.from) throw new CommandFailure(EXIT.usage, `--until must not be before the trace's first line, ${from}`);

  const book = new PolicySet();
  const asked = options.policy ?? book.list();
  const varied = variedPolicy(options);
  const { plot: plotFile, recommend: regrets, recommendDelete: lost } = options;
  const sleepSwept = plotFile === undefined && regrets === undefined ? [] : parameterSweep(varied);
  // The two tables stand beside each other, so that a saving is not chosen without what it loses.
  const deleteSwept = sleepSwept.length === 0 && lost === undefined ? [] : deleteSweep(varied);
  // A plot marks the presets, too, even if other policies were asked for.
  const others = plotFile === undefined ? [] : book.list().filter(({ name }) => !asked.some((policy) => policy.name === name));
  const all = [...asked, ...sleepSwept, ...deleteSwept, ...others];
  const say = (done: number) => progressLine.show(`simulating: ${done} of ${all.length} policies`, true);
  say(0);
  const results = await simulateAll(trace, all, { until, wakeTime: options.wakeTime }, say);
  const policies = results.splice(0, asked.length);
  const pointOf = (policy: Policy): SweepPoint => ({ policy, result: results.shift()! });
  const sleepPoints = sleepSwept.map(pointOf);
  const deletePoints = deleteSwept.map(pointOf);
  if (plotFile !== undefined) {
    const labelled = deletePoints.map((point, i) => ({ ...point, label: DELETE_AFTERS[i]! }));
    await plot(plotFile, { sleep: sleepPoints, delete: labelled }, [...policies, ...results]);
  }
  const steps = deleteSteps(deletePoints.map(({ result }) => result));
  return {
    sessions: countSessions(trace, until),
    from,
    to,
    policies: policies.map((result) => ({ ...result, ...costOf(result, options.price) })),
    ...(regrets === undefined ? {} : { recommendation: recommend(sleepPoints, regrets) }),
    ...(regrets === undefined && lost === undefined ? {} : { deleteSweep: steps }),
    ...(lost === undefined ? {} : { recommendedDelete: recommendDelete(steps, lost) }),
  };
}

/** Returns what the pods cost and what sleep saved, as the API's `/v1/savings` does. @param price of an awake pod for an hour */
function costOf({ awakeSeconds, alwaysOnSeconds }: SimulationResult, price: number | undefined) {
  if (price === undefined) return {};
  return { cost: { awake: (awakeSeconds / 3_600) * price, saved: ((alwaysOnSeconds - awakeSeconds) / 3_600) * price } };
}

async function plot(file: string, sweeps: PlottedSweeps, marked: readonly SimulationResult[]): Promise<void> {
  // Loaded only here: it takes a while to load, and only a plot needs it.
  const { drawSweeps } = await import('@sandman/replay/plot');
  try {
    writeFileSync(file, drawSweeps(sweeps, marked));
  } catch (error) {
    throw new CommandFailure(EXIT.usage, `cannot write --plot: ${(error as Error).message}`);
  }
}

async function run(file: string, options: Options, io: ProcessIo): Promise<void> {
  const output = new Output(io, { json: options.json ?? false, color: options.color });
  const done = await simulated(file, options, io);
  if (output.json) return output.document(done);
  output.line(`${done.sessions.toLocaleString('en')} sessions, ${done.from} to ${done.to}\n`);
  showResults(output, done.policies);
  if (done.recommendation) showRecommendation(output, done.recommendation);
  if (done.deleteSweep) {
    const { deleteSweep: steps, recommendedDelete: recommended = null } = done;
    showDeleteSweep(output, { steps, days: (Date.parse(done.to) - Date.parse(done.from)) / 86_400_000 });
    const { sleepAfter } = describePolicy(variedPolicy(options));
    if (options.recommendDelete !== undefined) {
      showRecommendedDelete(output, { sleepAfter, atMost: options.recommendDelete, steps, recommended });
    }
  }
}

/** Adds `sandman simulate`, which tells what policies would have cost and saved. */
export const addSimulate: AddCommand = (program, io) => {
  program
    .command('simulate')
    .summary('try policies on a trace of activity')
    .description("Says what policies would have cost and saved, by the rules of the workers' own, on a trace of activity. Needs no server.")
    .argument('<trace>', 'the file, a JSON object a line; - reads standard input')
    .addOption(new Option('--policy <policy>', 'a name, or JSON; several; by default all presets').argParser(policyOption))
    .addOption(new Option('--until <time>', "the end, ISO 8601; by default the trace's last line").argParser(timeOption))
    .addOption(new Option('--wake-time <duration>', 'how long a wake takes').argParser(durationOption(3_600_000, true)).default(0, '0s'))
    .option('--plot <file>', 'draw saved against regrets, and lost returns against pod-days kept, as SVG')
    .addOption(new Option('--recommend <share>', 'a policy with at most so many regrets of its sleeps: 5%').argParser(percentOption))
    .addOption(
      new Option('--recommend-delete <share>', 'the shortest deleteAfter that loses at most so many of the returns: 5%').argParser(
        percentOption,
      ),
    )
    .addOption(new Option('--price <number>', 'of an awake pod for an hour, such as 0.12: adds what is left to pay').argParser(priceOption))
    .addHelpText('after', NOTES)
    .action((file: string, _, self: Command) => run(file, self.optsWithGlobals<Options>(), io));
};
