import { measureVisits, type VisitFigures } from '@sandman/replay';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { Output, type ProcessIo } from '../output.ts';
import { ProgressLine } from '../progress-line.ts';
import { formatRoundedDuration } from '../rounded-duration.ts';
import type { GlobalOptions } from '../settings.ts';
import { traceFrom } from '../traces/input.ts';
import type { AddCommand } from './command.ts';

const NOTES = `
A visit is a user's activity without a pause of 30 minutes or more. Background
signals do not count. The gaps are those between two messages of one visit.

docs/policies.md has the same figures of public fleets.

Example:
  sandman trace measure own.ndjson`;

const number = (value: number, digits = 0) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

function showFigures(output: Output, { visits, messages, singleShare, gap }: VisitFigures): void {
  output.line(`visits                 ${number(visits)}`);
  output.line(`messages a visit       ${number(messages.mean, 1)} on average, median ${number(messages.median)}`);
  output.line(`visits of one message  ${number(100 * singleShare, 1)}%`);
  if (!gap) return;
  const [median, p95] = [gap.median, gap.p95].map(formatRoundedDuration);
  output.line(`gap within a visit     median ${median}, log-sigma ${number(gap.sigma, 2)}, 95% at most ${p95}`);
}

async function run(file: string, options: GlobalOptions, io: ProcessIo): Promise<void> {
  using progressLine = new ProgressLine(io.stderr);
  const trace = await traceFrom(file, io.stdin, progressLine);
  const figures = measureVisits(trace);
  if (!figures) throw new CommandFailure(EXIT.failed, 'no user is active in this trace');
  progressLine.clear();
  const output = new Output(io, { json: options.json ?? false, color: options.color });
  const [from, to] = [trace.from, trace.to].map((ms) => new Date(ms).toISOString());
  const { visits, messages, singleShare, gap } = figures;
  if (output.json) {
    const seconds = gap && { medianSeconds: gap.median / 1_000, logSigma: gap.sigma, p95Seconds: gap.p95 / 1_000 };
    return output.document({ sessions: trace.sessions, from, to, visits, messages, singleShare, gap: seconds });
  }
  output.line(`${number(trace.sessions)} sessions, ${from} to ${to}\n`);
  showFigures(output, figures);
}

/** Adds `sandman trace measure`, which measures the visits in a trace. */
export const addTraceMeasure: AddCommand = (trace, io) => {
  trace
    .command('measure')
    .summary('measure the visits in one: messages, gaps, single messages')
    .description('Measures the visits in a trace, to compare your users with those of public fleets.')
    .argument('<trace>', 'the file, a JSON object a line; - reads standard input')
    .addHelpText('after', NOTES)
    .action((file: string, _, self: Command) => run(file, self.optsWithGlobals<GlobalOptions>(), io));
};
