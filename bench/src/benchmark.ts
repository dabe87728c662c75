import type { Figure } from './figures.ts';

/** How much is measured. */
export interface Scale {
  readonly rounds: number;
  /** Of each measurement, s. */
  readonly seconds: number;
  /** Sessions of a company with some thousand users at once, and of a very large one. */
  readonly small: number;
  readonly large: number;
}

export interface Context {
  readonly scale: Scale;
  /** Tells whoever watches what is going on. */
  readonly progress: (text: string) => void;
}

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(context: Context): Promise<Figure[]>;
}
