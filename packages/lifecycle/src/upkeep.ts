import type { SessionStore } from '@sandman/core';
import type { Arming } from './arming.ts';
import { repeat, type System } from './system.ts';

/** How old a mark must be before any worker arms it, in ms. */
const MARK_AGE_MS = 2_000;
const MARKS_EVERY_MS = 1_000;
const TOMBSTONES_EVERY_MS = 60_000;

export interface UpkeepOptions {
  readonly store: SessionStore;
  readonly arming: Arming;
  readonly system: System;
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
export function startUpkeep({ store, arming, system, repaired, failed }: UpkeepOptions): () => Promise<void> {
  const finish = async () => {
    const marks = await arming.finish(MARK_AGE_MS, failed);
    if (marks > 0) repaired(marks);
  };
  const removeTombstones = async () => {
    await store.removeTombstones();
  };
  const rounds = [repeat(system, MARKS_EVERY_MS, finish, failed), repeat(system, TOMBSTONES_EVERY_MS, removeTombstones, failed)];
  return async () => {
    await Promise.all(rounds.map((stop) => stop()));
  };
}
