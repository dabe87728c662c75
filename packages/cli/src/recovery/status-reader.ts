import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { callBackoff, type Outcome, type PodConnection } from '@sandman/core';

/** The status of a pod, as the session-manager says. */
export type PodReading =
  | { readonly kind: 'awake' | 'asleep' | 'gone' }
  /** The status could not be read, and why. */
  | { readonly kind: 'unread'; readonly error: string };

/** Status reads in flight at once: enough for hundreds per second with answers that take 0.1 s. */
export const READS_IN_FLIGHT = 64;
/** Most calls for one status: if they fail, and if the session-manager asks to wait (`Retry-After`). */
const TRIES = 3;
const TRIES_WITH_RETRY_AFTER = 10;
/** With a longer `Retry-After` than this, in ms, the reader gives up. */
const LONGEST_WAIT_MS = 300_000;

/** Reads pods' statuses within a rate limit. */
export class StatusReader {
  readonly #pods: Pick<PodConnection, 'call'>;
  readonly #distance: number;
  readonly #signal: AbortSignal;
  #next = 0;
  #heldUntil = 0;

  /**
   * @param perSecond most calls per second, with retries
   * @param signal ends all waits
   */
  constructor(pods: Pick<PodConnection, 'call'>, perSecond: number, signal: AbortSignal) {
    this.#pods = pods;
    this.#distance = 1_000 / perSecond;
    this.#signal = signal;
  }

  /** Reads the status of one pod. Never throws. */
  async read(uuid: string): Promise<PodReading> {
    for (let tries = 1; ; tries++) {
      await this.#turn();
      const outcome = await this.#pods.call('status', uuid, randomUUID());
      if (outcome.kind === 'done') return { kind: outcome.pod ?? 'awake' };
      if (outcome.kind === 'gone') return { kind: 'gone' };
      const pause = this.#pauseAfter(outcome, tries);
      if (pause === null || this.#signal.aborted) return { kind: 'unread', error: outcome.error };
      await this.#sleep(pause);
    }
  }

  /** Returns how long to wait before the next try, in ms; null if a retry is of no use. */
  #pauseAfter(outcome: Outcome, tries: number): number | null {
    if (outcome.kind === 'permanent') return null;
    const retryAfter = outcome.kind === 'transient' ? (outcome.retryAfter ?? 0) : 0;
    if (tries >= (retryAfter > 0 ? TRIES_WITH_RETRY_AFTER : TRIES) || retryAfter > LONGEST_WAIT_MS) return null;
    // A `Retry-After` applies to all calls, so all of them wait.
    if (retryAfter > 0) {
      this.#heldUntil = Math.max(this.#heldUntil, performance.now() + retryAfter);
      this.#next = Math.max(this.#next, this.#heldUntil);
    }
    return retryAfter > 0 ? 0 : callBackoff('transient', tries, Math.random());
  }

  async #turn(): Promise<void> {
    do {
      const now = performance.now();
      const at = Math.max(now, this.#next);
      this.#next = at + this.#distance;
      if (at > now) await this.#sleep(at - now);
      // Another call may have got a `Retry-After` meanwhile.
    } while (performance.now() < this.#heldUntil && !this.#signal.aborted);
  }

  async #sleep(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.#signal }).catch(() => {});
  }
}
