import type { Recommendation, Result } from '@sandman/replay';
import type { Output } from './output.ts';
import { formatSpan } from './span.ts';
import { type Column, Table } from './table.ts';

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)}%`;
/** Formats with one decimal. Adding 0 turns -0 into 0. */
const tenths = (value: number) => (Math.round(10 * value) / 10 + 0).toFixed(1);
const count = (value: number) => Math.round(value).toLocaleString('en');
const span = (seconds: number) => formatSpan(seconds * 1_000);

const RESULTS: readonly Column<Result>[] = [
  { title: 'POLICY', cell: ({ name }) => name },
  { title: 'SLEEPS AFTER', cell: ({ policy }) => policy.sleepAfter },
  { title: 'DELETED AFTER', cell: ({ policy }) => policy.deleteAfter },
  { title: 'SAVED', cell: ({ savedFraction }) => percent(savedFraction) },
  { title: 'AWAKE', cell: ({ awakeSeconds }) => span(awakeSeconds) },
  { title: 'ASLEEP', cell: ({ asleepSeconds }) => span(asleepSeconds) },
  { title: 'SLEEPS', cell: ({ sleeps }) => count(sleeps) },
  { title: 'WAKES', cell: ({ wakes }) => count(wakes) },
  { title: 'REGRETS', cell: ({ regrets }) => count(regrets) },
  { title: 'DELETES', cell: ({ deletes }) => count(deletes) },
  { title: 'RECREATED', cell: ({ recreations }) => count(recreations) },
];

/** Prints a table of what each policy would have cost and saved. */
export function showResults(output: Output, results: readonly Result[]): void {
  new Table(output, RESULTS).write(results);
}

const STEPS: readonly Column<Recommendation['sweep'][number]>[] = [
  { title: 'SLEEPS AFTER', cell: ({ sleepAfter }) => sleepAfter },
  { title: 'SAVED', cell: ({ savedFraction }) => percent(savedFraction) },
  { title: 'REGRETS', cell: ({ regrets }) => count(regrets) },
  { title: 'OF SLEEPS', cell: ({ regretShare }) => percent(regretShare) },
  { title: 'A MINUTE MORE COSTS', cell: ({ perMinute }) => (perMinute ? span(perMinute.awakeSeconds) : '-') },
  { title: 'AND AVOIDS REGRETS', cell: ({ perMinute }) => (perMinute ? tenths(perMinute.regretsAvoided) : '-') },
];

/** Prints what each further minute of `sleepAfter` costs and avoids, and the recommended policy. */
export function showRecommendation(output: Output, { atMost, policy, knee, sweep }: Recommendation): void {
  output.line('');
  new Table(output, STEPS).write(sweep);
  output.line('');
  output.line(`the knee: sleepAfter ${knee.sleepAfter}; what is longer costs more for each regret that it avoids`);
  const most = `at most ${Number((100 * atMost).toPrecision(6))}% regrets`;
  if (policy) output.line(`recommended for ${most}: ${JSON.stringify({ sleepAfter: policy.sleepAfter, deleteAfter: policy.deleteAfter })}`);
  else output.line(`nothing up to ${sweep.at(-1)!.sleepAfter} has ${most}`);
}
