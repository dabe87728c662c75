import type { Pace } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** A permit to call the session-manager. */
export type Release = () => void;

/** What a call is for: a user who waits, anything else, or a session whose calls fail again and again. */
export type Purpose = 'wake' | 'other' | 'retry';

/**
 * Bounds the calls in flight in this process and, where there is a pace, those of all workers per second. Wakes come
 * first, and a tenth of the permits (at least one, of two or more) is theirs alone, so that sleeps which hang never
 * keep a user waiting. Sessions whose calls fail again and again hold at most half of the permits, and do not stand in line
 * for them: those that hang delay only each other.
 */
export class Permits {
  readonly #limit: number;
  readonly #limits: Readonly<Record<Purpose, number>>;
  readonly #pace: Pace | null;
  readonly #surroundings: Pick<Surroundings, 'pause'>;
  readonly #lines: Readonly<Record<Purpose, ((release: Release) => void)[]>> = { wake: [], other: [], retry: [] };
  readonly #held: Record<Purpose, number> = { wake: 0, other: 0, retry: 0 };
  /** Who comes first when both could: they take turns. */
  #turn: readonly Purpose[] = ['other', 'retry'];
  #granting = false;

  /** @param limit calls in flight, from 1 */
  constructor(limit: number, pace: Pace | null, surroundings: Pick<Surroundings, 'pause'>) {
    const forOthers = limit - (limit > 1 ? Math.ceil(limit / 10) : 0);
    this.#limit = limit;
    this.#limits = { wake: limit, other: forOthers, retry: Math.max(1, Math.floor(limit / 2)) };
    this.#pace = pace;
    this.#surroundings = surroundings;
  }

  /** @returns null for a retry when half of the permits are held by retries; the caller tries again later */
  acquire(purpose: Purpose): Promise<Release | null> {
    const isFull = this.#held.retry + this.#lines.retry.length >= this.#limits.retry;
    if (purpose === 'retry' && isFull) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#lines[purpose].push(resolve);
      this.#grant();
    });
  }

  /** Grants while somebody may have one; who that is shows when a place is free, for a wake may have come meanwhile. */
  async #grant(): Promise<void> {
    if (this.#granting) return;
    this.#granting = true;
    while (this.#next() !== null) {
      if (this.#pace) await this.#place(this.#pace);
      const purpose = this.#next();
      if (purpose !== null) this.#lines[purpose].shift()?.(this.#take(purpose));
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

  /** Whose line is served next; null: nobody's. */
  #next(): Purpose | null {
    const { wake, other, retry } = this.#held;
    if (wake + other + retry >= this.#limit) return null;
    if (this.#lines.wake.length > 0) return 'wake';
    if (other + retry >= this.#limits.other) return null;
    return this.#turn.find((purpose) => this.#lines[purpose].length > 0 && this.#held[purpose] < this.#limits[purpose]) ?? null;
  }

  #take(purpose: Purpose): Release {
    this.#held[purpose]++;
    if (purpose !== 'wake') this.#turn = purpose === 'other' ? ['retry', 'other'] : ['other', 'retry'];
    return () => {
      this.#held[purpose]--;
      this.#grant();
    };
  }
}
