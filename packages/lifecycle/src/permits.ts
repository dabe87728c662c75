import type { Pace } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** A permit to call the session-manager. */
export type Release = () => void;

/**
 * Bounds the calls in flight in this process and, where there is a pace, those of all workers per second. Wakes come
 * first, and a tenth of the permits (at least one, of two or more) is theirs alone, so that sleeps which hang never
 * keep a user waiting.
 */
export class Permits {
  readonly #limit: number;
  readonly #othersLimit: number;
  readonly #pace: Pace | null;
  readonly #surroundings: Pick<Surroundings, 'pause'>;
  readonly #wakes: ((release: Release) => void)[] = [];
  readonly #others: ((release: Release) => void)[] = [];
  #held = 0;
  #heldByOthers = 0;
  #granting = false;

  /** @param limit calls in flight, from 1 */
  constructor(limit: number, pace: Pace | null, surroundings: Pick<Surroundings, 'pause'>) {
    this.#limit = limit;
    this.#othersLimit = limit - (limit > 1 ? Math.ceil(limit / 10) : 0);
    this.#pace = pace;
    this.#surroundings = surroundings;
  }

  acquire(wake: boolean): Promise<Release> {
    return new Promise((resolve) => {
      (wake ? this.#wakes : this.#others).push(resolve);
      this.#grant();
    });
  }

  /** Grants while somebody may have one; who that is shows when a place is free, for a wake may have come meanwhile. */
  async #grant(): Promise<void> {
    if (this.#granting) return;
    this.#granting = true;
    while (this.#next()) {
      if (this.#pace) await this.#place(this.#pace);
      const wake = this.#wakes.length > 0;
      this.#next()?.shift()?.(this.#take(wake));
    }
    this.#granting = false;
  }

  /** A pace that cannot be asked bounds nothing: Redis is away, and without it no call is committed. */
  async #place(pace: Pace): Promise<void> {
    for (;;) {
      const ms = await pace.take().catch(() => 0);
      if (ms === 0) return;
      await this.#surroundings.pause(ms);
    }
  }

  #next(): ((release: Release) => void)[] | null {
    if (this.#held >= this.#limit) return null;
    if (this.#wakes.length > 0) return this.#wakes;
    return this.#others.length > 0 && this.#heldByOthers < this.#othersLimit ? this.#others : null;
  }

  #take(wake: boolean): Release {
    this.#held++;
    if (!wake) this.#heldByOthers++;
    return () => {
      this.#held--;
      if (!wake) this.#heldByOthers--;
      this.#grant();
    };
  }
}
