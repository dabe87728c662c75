/** A clock, random numbers and ids. A simulation has its own. */
export interface Surroundings {
  /** Monotonic ms. */
  readonly elapsed: () => number;
  /** Calls `run` every `ms`; returns a function that ends this. */
  readonly every: (ms: number, run: () => void) => () => void;
  readonly pause: (ms: number) => Promise<void>;
  /** Returns a random number from 0 to 1. */
  readonly chance: () => number;
  /** Returns an id that never repeats. */
  readonly id: () => string;
}

/**
 * Runs a round now and then every `ms`. No round begins while one runs.
 *
 * @param round if it resolves to a number below `ms`, the next round begins after that many ms
 * @param failed called with what a round throws; the rounds go on
 * @returns a function that ends the rounds, and waits for one that runs
 */
export function repeat(
  { every, elapsed }: Surroundings,
  ms: number,
  round: () => Promise<unknown>,
  failed: (error: unknown) => void,
): () => Promise<void> {
  let running: Promise<void> | null = null;
  let stopped = false;
  let extra: { readonly at: number; readonly cancel: () => void } | null = null;
  const start = () => {
    running ??= round()
      .then((soon) => {
        if (typeof soon === 'number' && soon < ms && !stopped) startIn(soon);
      })
      .catch(failed)
      .finally(() => {
        running = null;
      });
  };
  const startIn = (soon: number) => {
    const at = elapsed() + soon;
    if (extra && extra.at <= at) return;
    extra?.cancel();
    const cancel = every(soon, () => {
      cancel();
      extra = null;
      start();
    });
    extra = { at, cancel };
  };
  const stop = every(ms, start);
  start();
  return async () => {
    stopped = true;
    stop();
    extra?.cancel();
    await running;
  };
}
