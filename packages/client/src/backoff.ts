import { SandmanError } from './errors.ts';

const FIRST_MS = 200;
/** Whoever asks us to wait for longer, in ms, has lost his way. */
const LONGEST_WAIT_MS = 300_000;

/**
 * How long to wait before the next try, in ms: twice as long after each failure, and by chance up to half less, so that
 * many clients do not come back at once.
 *
 * @param failures in a row, from 1
 */
export function backoff(failures: number, most: number): number {
  const wait = Math.min(most, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return wait * (1 - Math.random() / 2);
}

/** How long whoever refused us asked us to wait, in ms; 0 where it did not. */
export function asked(error: unknown): number {
  const seconds = error instanceof SandmanError ? error.retryAfter : null;
  return Math.min((seconds ?? 0) * 1_000, LONGEST_WAIT_MS);
}

/** Waits for `ms`, or until `signal` is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener('abort', over);
    if (signal?.aborted) over();
  });
}
