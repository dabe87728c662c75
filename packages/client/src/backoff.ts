const FIRST_MS = 200;

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
