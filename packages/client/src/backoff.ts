import { SandmanError } from './errors.ts';

const FIRST_MS = 200;
/** Longest `Retry-After` that the client follows, in ms; a longer one is taken for a mistake. */
const LONGEST_WAIT_MS = 300_000;

/**
 * Returns how long to wait before the next try, in ms. The wait doubles with each failure; jitter takes off up to half, so
 * that many clients do not come back at once.
 *
 * @param failures in a row, from 1
 * @param most upper bound of the wait, in ms
 */
export function backoff(failures: number, most: number): number {
  const wait = Math.min(most, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return wait * (1 - Math.random() / 2);
}

/** Returns the `Retry-After` of a failed call, in ms; 0 if it had none. */
export function retryAfterMs(error: unknown): number {
  const seconds = error instanceof SandmanError ? error.retryAfter : null;
  return Math.min((seconds ?? 0) * 1_000, LONGEST_WAIT_MS);
}

/** Waits for `ms`, or until `signal` is aborted. Never rejects. */
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
