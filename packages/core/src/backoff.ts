/** How long to wait between tries: the first wait and the longest, in ms, and the part of a wait that jitter may take off, 0 to 1. */
export interface Backoff {
  readonly first: number;
  readonly longest: number;
  readonly jitter: number;
}

/**
 * Returns a wait that doubles with each failure up to the longest, in whole ms. Jitter shortens it, so that many do not retry
 * in step.
 *
 * @param failures in a row, from 1
 * @param chance 0 to 1
 */
export function exponentialBackoff({ first, longest, jitter }: Backoff, failures: number, chance: number): number {
  const wait = Math.min(longest, first * 2 ** Math.min(failures - 1, 20));
  return Math.round(wait * (1 - chance * jitter));
}
