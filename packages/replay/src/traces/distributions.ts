import type { Random } from '@sandman/core';

/** A log-normal distribution: half of the values are below the median, and about one in six is above the median times e^sigma. */
export interface LogNormal {
  readonly median: number;
  readonly sigma: number;
}

/** Draws by the Box–Muller transform. Discards its second value, so that no state is carried from draw to draw. */
export function logNormal({ median, sigma }: LogNormal, random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return median * Math.exp(sigma * radius * Math.cos(2 * Math.PI * random.next()));
}

/**
 * Draws a whole number from 1 on from a geometric distribution: each number is less likely than the one before by the same factor.
 *
 * @param mean at least 1
 */
export function geometric(mean: number, random: Random): number {
  return mean > 1 ? 1 + Math.floor(Math.log(1 - random.next()) / Math.log(1 - 1 / mean)) : 1;
}

/**
 * Draws how likely one user comes on a day: a power of a uniform number, which is the beta distribution with a second parameter of 1.
 * Many users with a small chance and a few with a large one make the pauses between visits as unequal as those of real users; with the
 * same chance for all, long pauses would be far too rare.
 *
 * @param mean over all users, 0 to 1
 */
export function userChance(mean: number, random: Random): number {
  return mean > 0 ? random.next() ** ((1 - mean) / mean) : 0;
}
