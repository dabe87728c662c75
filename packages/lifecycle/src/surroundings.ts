/** A clock and a source of chance, so that a simulation can have its own. */
export interface Surroundings {
  /** Monotonic ms. */
  readonly elapsed: () => number;
  /** Calls `run` every `ms`; what it answers ends that. */
  readonly every: (ms: number, run: () => void) => () => void;
  readonly pause: (ms: number) => Promise<void>;
  /** 0 to 1. */
  readonly chance: () => number;
  /** An id that never repeats. */
  readonly id: () => string;
}

/**
 * Repeats a round every `ms`, at once for the first time; a slow one is not overtaken by the next.
 *
 * @param round if it answers a number, that is in how many ms the next one should come, where that is sooner
 * @param failed told of what a round throws; the next one comes all the same
 * @returns what ends it, after the round that runs
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
