/** A clock, random numbers and ids. A simulation has its own. */
export interface System {
  /** Monotonic ms. */
  readonly elapsed: () => number;
  /** Calls `run` every `ms`; returns a function that ends this. */
  readonly every: (ms: number, run: () => void) => () => void;
  /** Calls `run` once, in `ms`; returns a function that cancels this. */
  readonly after: (ms: number, run: () => void) => () => void;
  readonly pause: (ms: number) => Promise<void>;
  /** Returns a random number from 0 to 1. */
  readonly random: () => number;
  /** Returns an id that never repeats. */
  readonly newId: () => string;
}

/** What a round returns: the next one is to begin after `again` ms, if that is sooner than the next regular one; or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a round may be a function that returns nothing.
export type RoundEnd = { readonly again: number } | void;

/**
 * Runs a round now and then every `ms`. No round begins while one runs.
 *
 * @param failed called with what a round throws; the rounds go on
 * @returns a function that ends the rounds, and waits for one that runs
 */
export function repeat(
  { every, after, elapsed }: System,
  ms: number,
  round: () => Promise<RoundEnd>,
  failed: (error: unknown) => void,
): () => Promise<void> {
  let running: Promise<void> | null = null;
  let stopped = false;
  let extra: { readonly at: number; readonly cancel: () => void } | null = null;
  const start = () => {
    running ??= round()
      .then((end) => {
        if (end && end.again < ms && !stopped) startIn(end.again);
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
    const cancel = after(soon, () => {
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
