import type { RateLimiter } from '@sandman/core';
import type { System } from './system.ts';

/** Gives back a permit to call the session-manager. */
export type ReleasePermit = () => void;

/** What a call is for: `wake`, a user who waits; `retry`, a session whose calls keep failing; `other`, anything else. */
export type Purpose = 'wake' | 'other' | 'retry';

/**
 * The call limiter: bounds the calls in flight in this process and, with a rate limiter, the calls per second of all workers.
 *
 * Wakes come first. A tenth of the permits (at least one, if there are two or more) is for wakes only, so that sleep calls
 * that hang never make a user wait. Sessions whose calls keep failing hold at most half of the permits, and do not queue for
 * more, so that those whose calls hang delay only each other.
 */
export class CallLimiter {
  readonly #limit: number;
  readonly #limits: Readonly<Record<Purpose, number>>;
  readonly #rateLimiter: RateLimiter | null;
  readonly #system: Pick<System, 'pause'>;
  readonly #queues: Readonly<Record<Purpose, ((release: ReleasePermit) => void)[]>> = { wake: [], other: [], retry: [] };
  readonly #held: Record<Purpose, number> = { wake: 0, other: 0, retry: 0 };
  /** The order of the two purposes without priority: they take turns. */
  #turn: readonly Purpose[] = ['other', 'retry'];
  #granting = false;

  /** @param limit calls in flight, from 1 */
  constructor(limit: number, rateLimiter: RateLimiter | null, system: Pick<System, 'pause'>) {
    const forOthers = limit - (limit > 1 ? Math.ceil(limit / 10) : 0);
    this.#limit = limit;
    this.#limits = { wake: limit, other: forOthers, retry: Math.max(1, Math.floor(limit / 2)) };
    this.#rateLimiter = rateLimiter;
    this.#system = system;
  }

  /** @returns null for a retry while retries hold half of the permits, or wait for them; the caller tries again later */
  acquire(purpose: Purpose): Promise<ReleasePermit | null> {
    const isFull = this.#held.retry + this.#queues.retry.length >= this.#limits.retry;
    if (purpose === 'retry' && isFull) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#queues[purpose].push(resolve);
      this.#grant();
    });
  }

  /** Grants permits while a waiting call may have one. Chooses the call once the rate limiter lets one pass: a wake may have come. */
  async #grant(): Promise<void> {
    if (this.#granting) return;
    this.#granting = true;
    while (this.#next() !== null) {
      if (this.#rateLimiter) await this.#waitForSlot(this.#rateLimiter);
      const purpose = this.#next();
      if (purpose !== null) this.#queues[purpose].shift()?.(this.#take(purpose));
    }
    this.#granting = false;
  }

  /** Waits for a place in the rate limiter. An error counts as a place: without Redis, no call is committed anyway. */
  async #waitForSlot(rateLimiter: RateLimiter): Promise<void> {
    for (;;) {
      const ms = await rateLimiter.take().catch(() => 0);
      if (ms === 0) return;
      await this.#system.pause(ms);
    }
  }

  /** Returns the purpose whose queue is served next; null: none may be. */
  #next(): Purpose | null {
    const { wake, other, retry } = this.#held;
    if (wake + other + retry >= this.#limit) return null;
    if (this.#queues.wake.length > 0) return 'wake';
    if (other + retry >= this.#limits.other) return null;
    return this.#turn.find((purpose) => this.#queues[purpose].length > 0 && this.#held[purpose] < this.#limits[purpose]) ?? null;
  }

  #take(purpose: Purpose): ReleasePermit {
    this.#held[purpose]++;
    if (purpose !== 'wake') this.#turn = purpose === 'other' ? ['retry', 'other'] : ['other', 'retry'];
    return () => {
      this.#held[purpose]--;
      this.#grant();
    };
  }
}
