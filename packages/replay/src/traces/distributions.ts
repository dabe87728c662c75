import type { Random } from '@sandman/core';

/** A log-normal distribution: half are below the median, and about one in six above the median times e^sigma. */
export interface LogNormal {
  readonly median: number;
  readonly sigma: number;
}

/** Box and Muller's way; their second value is thrown away, so that nothing is carried from draw to draw. */
export function logNormal({ median, sigma }: LogNormal, random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return median * Math.exp(sigma * radius * Math.cos(2 * Math.PI * random.next()));
}

/**
 * A whole number from 1 on, each next one less likely by the same factor.
 *
 * @param mean at least 1
 */
export function geometric(mean: number, random: Random): number {
  return mean > 1 ? 1 + Math.floor(Math.log(1 - random.next()) / Math.log(1 - 1 / mean)) : 1;
}
