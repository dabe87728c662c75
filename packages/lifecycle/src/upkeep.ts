import type { SessionStore } from '@sandman/core';
import type { Arming } from './arming.ts';
import { repeat, type Surroundings } from './surroundings.ts';

/** How old a mark must be before any worker arms it, in ms. */
const MARK_AGE_MS = 2_000;
const MARKS_EVERY_MS = 1_000;
const BURY_EVERY_MS = 60_000;

export interface UpkeepOptions {
  readonly store: SessionStore;
  readonly arming: Arming;
  readonly surroundings: Surroundings;
  /** Called with the number of marks that a crash had left. */
  readonly repaired: (marks: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Starts the upkeep, which every worker runs beside its alarms: finishes interrupted arming each second, and removes old
 * tombstones each minute.
 *
 * @returns a function that ends the upkeep, after the round that runs
 */
export function startUpkeep({ store, arming, surroundings, repaired, failed }: UpkeepOptions): () => Promise<void> {
  const finish = async () => {
    const marks = await arming.finish(MARK_AGE_MS, failed);
    if (marks > 0) repaired(marks);
  };
  const bury = async () => {
    await store.bury();
  };
  const rounds = [repeat(surroundings, MARKS_EVERY_MS, finish, failed), repeat(surroundings, BURY_EVERY_MS, bury, failed)];
  return async () => {
    await Promise.all(rounds.map((stop) => stop()));
  };
}
