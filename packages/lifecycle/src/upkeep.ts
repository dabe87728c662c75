import type { SessionStore } from '@sandman/core';
import type { Arming } from './arming.ts';

/** How old a mark is before somebody else finishes the arming, in ms. */
const MARK_AGE_MS = 2_000;
const MARKS_EVERY_MS = 1_000;
const BURY_EVERY_MS = 60_000;

export interface UpkeepOptions {
  readonly store: SessionStore;
  readonly arming: Arming;
  /** Told how many sessions a crash had left without alarms. */
  readonly repaired: (marks: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * What every worker does beside its alarms: finishes interrupted arming each second, forgets old tombstones.
 *
 * @returns what ends it, after the round that runs
 */
export function startUpkeep({ store, arming, repaired, failed }: UpkeepOptions): () => Promise<void> {
  const rounds = [
    repeat(MARKS_EVERY_MS, async () => {
      const marks = await arming.finish(MARK_AGE_MS);
      if (marks > 0) repaired(marks);
    }),
    repeat(BURY_EVERY_MS, async () => {
      await store.bury();
    }),
  ];
  return async () => {
    await Promise.all(rounds.map((stop) => stop()));
  };

  function repeat(ms: number, round: () => Promise<void>): () => Promise<void> {
    let running = Promise.resolve();
    let busy = false;
    const timer = setInterval(() => {
      // A slow round is not overtaken by the next.
      if (busy) return;
      busy = true;
      running = round()
        .catch(failed)
        .finally(() => {
          busy = false;
        });
    }, ms);
    return () => {
      clearInterval(timer);
      return running;
    };
  }
}
