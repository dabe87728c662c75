import { formatLine, generateTrace, type TracePlan, WORKLOADS, type Workload, type WorkloadName } from '@sandman/replay';
import { InvalidArgumentError, Option } from 'commander';
import { durationOption, numberOption, percentOption, timeOption } from '../options.ts';
import type { ProcessIo } from '../output.ts';
import { ProgressLine } from '../progress-line.ts';
import { writeTrace } from '../traces/trace-output.ts';
import type { AddCommand } from './command.ts';

interface Options {
  readonly workload: WorkloadName;
  readonly sessions: number;
  readonly days: number;
  readonly start: string;
  readonly seed: number;
  /** ms. */
  readonly gapMedian?: number;
  readonly gapSigma?: number;
  /** 0 to 1. */
  readonly logouts?: number;
  readonly tabs?: number;
  readonly output?: string;
}

/** The default start: a Monday, and a fixed date, so that the output is the same whenever the command runs. */
const DEFAULT_START = '2026-01-05T00:00:00.000Z';

const EXAMPLES = `
Workloads (docs/cli.md has all figures, and where each comes from):
  chat       private chats: evenings and weekends, most users seldom
  assistant  an office assistant: in use all day, on working days
  support    customers' questions: seldom a second time
  coding     agentic coding: an agent works on, and signals, after each prompt

Each session begins within the trace: the first days are emptier than the later
ones. The same options make the same bytes.

Examples:
  sandman trace generate --sessions 200 --days 28 > chat.ndjson
  sandman trace generate --workload coding --gap-median 6m --output coding.ndjson`;

function sigmaOption(text: string): number {
  if (!/^\d(?:\.\d+)?$/.test(text) || Number(text) > 4) throw new InvalidArgumentError('It must be a number from 0 to 4, such as 1.2.');
  return Number(text);
}

function startOption(text: string): string {
  const time = timeOption(text);
  if (!(Date.parse(time) > 0)) throw new InvalidArgumentError('It must be after 1970.');
  return time;
}

function workloadOf({ workload, gapMedian, gapSigma, logouts, tabs }: Options): Workload {
  const base: Workload = WORKLOADS[workload];
  return {
    ...base,
    gap: { median: gapMedian ?? base.gap.median, sigma: gapSigma ?? base.gap.sigma },
    logouts: logouts ?? base.logouts,
    tabs: tabs ?? base.tabs,
  };
}

function* linesOf(plan: TracePlan, { stderr }: ProcessIo): Generator<string> {
  using progressLine = new ProgressLine(stderr);
  let made = 0;
  for (const events of generateTrace(plan)) {
    yield events.map(formatLine).join('');
    progressLine.show(`made: ${(++made).toLocaleString('en')} of ${plan.sessions.toLocaleString('en')} sessions`);
  }
}

/** Adds `sandman trace generate`, which makes a random trace. */
export const addTraceGenerate: AddCommand = (trace, io) => {
  const workloads = Object.keys(WORKLOADS);
  trace
    .command('generate')
    .summary('make a trace up, of a kind of users')
    .description('Makes a trace up: sessions of people who come at likely hours, write with likely gaps, and leave.')
    .addOption(new Option('--workload <name>', 'what kind of users').choices(workloads).default('chat'))
    .addOption(new Option('--sessions <n>', 'how many').argParser(numberOption(1, 10_000_000)).default(1_000))
    .addOption(new Option('--days <n>', 'how long, at most 366').argParser(numberOption(1, 366)).default(14))
    .addOption(new Option('--start <time>', 'ISO 8601, in local time where it names no zone').argParser(startOption).default(DEFAULT_START))
    .addOption(new Option('--seed <n>', 'of the chance').argParser(numberOption(0, 0xffff_ffff)).default(1))
    .addOption(new Option('--gap-median <duration>', "between two messages, in place of the workload's").argParser(durationOption()))
    .addOption(new Option('--gap-sigma <n>', 'how widely gaps vary (log-normal), 0 to 4').argParser(sigmaOption))
    .addOption(new Option('--logouts <share>', 'of sessions that end with a logout, such as 5%').argParser(percentOption))
    .addOption(new Option('--tabs <share>', 'of visits (coding: messages) with background signals, such as 25%').argParser(percentOption))
    .option('-o, --output <file>', 'overwrites it; without this, to stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { sessions, days, start, seed } = options;
      const plan = { sessions, days, from: Date.parse(start), seed, workload: workloadOf(options) };
      await writeTrace(linesOf(plan, io), options.output, io);
    });
};
