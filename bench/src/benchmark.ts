import type { Figure } from './figures.ts';
import type { Fleets, Watched } from './fleet.ts';

/** How much is measured. */
export interface Scale {
  readonly rounds: number;
  /** Of each measurement, s. */
  readonly seconds: number;
  /** Sessions of a company with some thousand users at once, and of a very large one. */
  readonly small: number;
  readonly large: number;
  /** Sessions that are due at once. */
  readonly due: number;
  /** From one look of a slow scan to the next, s. */
  readonly scan: number;
}

export interface Context extends Watched {
  readonly scale: Scale;
  readonly fleets: Fleets;
}

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(context: Context): Promise<Figure[]>;
}

/** As it stands in a group's name. */
export function shownSize(size: number, what = 'sessions'): string {
  return `${size.toLocaleString('en')} ${what}`;
}
