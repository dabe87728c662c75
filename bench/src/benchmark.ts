import type { Figure } from './figures.ts';
import type { FleetCache, ProgressReporter } from './fleet.ts';

/** The size of a run. */
export interface Scale {
  readonly rounds: number;
  /** The length of each measurement, in s. */
  readonly seconds: number;
  /** Whether uncounted runs come first, so that the code is compiled. */
  readonly warmUp: boolean;
  /** Sessions at once of a company with some thousand users, and of a very large company. */
  readonly small: number;
  readonly large: number;
  /** Sessions that are due at once. */
  readonly due: number;
  /** The interval of the slow scan, in s. */
  readonly scan: number;
}

export interface Context extends ProgressReporter {
  readonly scale: Scale;
  readonly fleets: FleetCache;
}

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(context: Context): Promise<Figure[]>;
}

/** Formats a size for the name of a group. */
export function shownSize(size: number, what = 'sessions'): string {
  return `${size.toLocaleString('en')} ${what}`;
}
