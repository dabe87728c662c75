import type { DeleteStep, Recommendation, SimulationResult } from '@sandman/replay';
import type { Output } from './output.ts';
import { formatRoundedDuration } from './rounded-duration.ts';
import { type Column, Table } from './table.ts';

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)}%`;
/** Formats a share, or `-` if there is none. */
const share = (fraction: number | null) => (fraction === null ? '-' : percent(fraction));
/** Formats with one decimal. Adding 0 turns -0 into 0. */
const tenths = (value: number) => (Math.round(10 * value) / 10 + 0).toFixed(1);
const count = (value: number) => Math.round(value).toLocaleString('en');
/** Formats with two decimals below 10 and one above, so that little is not shown as nothing. */
const amount = (value: number) => {
  const digits = value < 10 ? 2 : 1;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
};
const hours = (seconds: number) => amount(seconds / 3_600);
const formatSeconds = (seconds: number) => formatRoundedDuration(seconds * 1_000);

/** A result, with its cost if there is a price. */
type PricedResult = SimulationResult & { readonly cost?: { readonly awake: number } };

const COST: Column<PricedResult> = { title: 'COST', cell: ({ cost }) => amount(cost!.awake) };

const columnsOf = (priced: boolean): readonly Column<PricedResult>[] => [
  { title: 'POLICY', cell: ({ name }) => name },
  { title: 'SLEEPS AFTER', cell: ({ policy }) => policy.sleepAfter },
  { title: 'DELETED AFTER', cell: ({ policy }) => policy.deleteAfter },
  { title: 'SAVED', cell: ({ savedFraction }) => percent(savedFraction) },
  { title: 'HOURS AWAKE', cell: ({ awakeSeconds }) => hours(awakeSeconds) },
  ...(priced ? [COST] : []),
  { title: 'DAYS ASLEEP', cell: ({ asleepSeconds }) => amount(asleepSeconds / 86_400) },
  { title: 'SLEEPS', cell: ({ sleeps }) => count(sleeps) },
  { title: 'WAKES', cell: ({ wakes }) => count(wakes) },
  { title: 'REGRETS', cell: ({ regrets }) => count(regrets) },
  { title: 'DELETES', cell: ({ deletes }) => count(deletes) },
  { title: 'RECREATED', cell: ({ recreations }) => count(recreations) },
  { title: 'LOST RETURNS', cell: ({ lostReturns }) => share(lostReturns) },
];

/** Prints a table of what each policy would have cost and saved. */
export function showResults(output: Output, results: readonly PricedResult[]): void {
  new Table(output, columnsOf(results.some(({ cost }) => cost !== undefined))).write(results);
}

const plainPercent = (fraction: number) => `${Number((100 * fraction).toPrecision(6))}%`;

const STEPS: readonly Column<Recommendation['sweep'][number]>[] = [
  { title: 'SLEEPS AFTER', cell: ({ sleepAfter }) => sleepAfter },
  { title: 'SAVED', cell: ({ savedFraction }) => percent(savedFraction) },
  { title: 'HOURS AWAKE', cell: ({ awakeSeconds }) => hours(awakeSeconds) },
  { title: 'REGRETS', cell: ({ regrets }) => count(regrets) },
  { title: 'OF SLEEPS', cell: ({ regretShare }) => percent(regretShare) },
  { title: 'A MINUTE MORE COSTS', cell: ({ perMinute }) => (perMinute ? formatSeconds(perMinute.awakeSeconds) : '-') },
  { title: 'AND AVOIDS REGRETS', cell: ({ perMinute }) => (perMinute ? tenths(perMinute.regretsAvoided) : '-') },
];

/** Prints what each further minute of `sleepAfter` costs and avoids, and the recommended policy. */
export function showRecommendation(output: Output, { atMost, policy, knee, sweep }: Recommendation): void {
  output.line('');
  new Table(output, STEPS).write(sweep);
  output.line('');
  output.line(`the knee: sleepAfter ${knee.sleepAfter}; what is longer costs more for each regret that it avoids`);
  const most = `at most ${plainPercent(atMost)} regrets`;
  if (policy) output.line(`recommended for ${most}: ${JSON.stringify({ sleepAfter: policy.sleepAfter, deleteAfter: policy.deleteAfter })}`);
  else output.line(`nothing up to ${sweep.at(-1)!.sleepAfter} has ${most}`);
}

const DELETE_STEPS: readonly Column<DeleteStep>[] = [
  { title: 'DELETED AFTER', cell: ({ deleteAfter }) => deleteAfter },
  { title: 'LOST RETURNS', cell: ({ lostReturns }) => share(lostReturns) },
  { title: 'RECREATED', cell: ({ recreations }) => count(recreations) },
  { title: 'WAKES', cell: ({ wakes }) => count(wakes) },
  { title: 'DELETES', cell: ({ deletes }) => count(deletes) },
  { title: 'POD-DAYS KEPT', cell: ({ podDaysKept }) => amount(podDaysKept) },
  {
    title: 'MORE POD-DAYS FOR EACH RETURN KEPT',
    cell: ({ podDaysPerReturn }) => (podDaysPerReturn === null ? '-' : amount(podDaysPerReturn)),
  },
];

/** Prints what each `deleteAfter` keeps and loses. @param days the length of the trace */
export function showDeleteSweep(output: Output, { steps, days }: { readonly steps: readonly DeleteStep[]; readonly days: number }): void {
  output.line('');
  new Table(output, DELETE_STEPS).write(steps);
  output.line('');
  output.line(`the trace covers ${amount(days)} days: users who came back after a longer time than that are not in it`);
}

/** A recommended `deleteAfter`, and what was asked for. */
interface DeleteRecommendation {
  readonly sleepAfter: string;
  /** The greatest share of lost returns, 0 to 1. */
  readonly atMost: number;
  readonly steps: readonly DeleteStep[];
  readonly recommended: Pick<DeleteStep, 'deleteAfter' | 'lostReturns'> | null;
}

/** Prints the recommended `deleteAfter`, or why there is none. */
export function showRecommendedDelete(output: Output, { sleepAfter, atMost, steps, recommended }: DeleteRecommendation): void {
  const most = `at most ${plainPercent(atMost)} lost returns`;
  if (recommended) output.line(`recommended for ${most}: ${JSON.stringify({ sleepAfter, deleteAfter: recommended.deleteAfter })}`);
  else if (steps.every(({ lostReturns }) => lostReturns === null)) output.line('no user returned, so no deleteAfter is recommended');
  else output.line(`nothing up to ${steps.at(-1)!.deleteAfter} has ${most}`);
}
