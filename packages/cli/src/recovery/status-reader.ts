import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { backoff, type Outcome, type PodConnection } from '@sandman/core';

/** What the session-manager says of a pod. */
export type PodReading =
  | { readonly kind: 'awake' | 'asleep' | 'gone' }
  /** It could not be read, for this reason. */
  | { readonly kind: 'unread'; readonly error: string };

/** How often a status is asked for in all: where calls fail, and where the session-manager only wants to be asked later. */
const TRIES = 3;
const PATIENT_TRIES = 10;
/** A `Retry-After` beyond this is not waited for, in ms. */
const LONGEST_WAIT_MS = 300_000;

/** Reads pods' statuses, no more per second than it may. */
export class StatusReader {
  readonly #pods: Pick<PodConnection, 'call'>;
  readonly #distance: number;
  readonly #signal: AbortSignal;
  #next = 0;
  #heldUntil = 0;

  /**
   * @param perSecond calls, repeated ones too
   * @param signal ends every waiting
   */
  constructor(pods: Pick<PodConnection, 'call'>, perSecond: number, signal: AbortSignal) {
    this.#pods = pods;
    this.#distance = 1_000 / perSecond;
    this.#signal = signal;
  }

  /** Never throws. */
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

  /** In ms; null: it is no use. */
  #pauseAfter(outcome: Outcome, tries: number): number | null {
    if (outcome.kind === 'permanent') return null;
    const retryAfter = outcome.kind === 'transient' ? (outcome.retryAfter ?? 0) : 0;
    if (tries >= (retryAfter > 0 ? PATIENT_TRIES : TRIES) || retryAfter > LONGEST_WAIT_MS) return null;
    // It means all of us.
    if (retryAfter > 0) {
      this.#heldUntil = Math.max(this.#heldUntil, performance.now() + retryAfter);
      this.#next = Math.max(this.#next, this.#heldUntil);
    }
    return retryAfter > 0 ? 0 : backoff('transient', tries, Math.random());
  }

  async #turn(): Promise<void> {
    do {
      const now = performance.now();
      const at = Math.max(now, this.#next);
      this.#next = at + this.#distance;
      if (at > now) await this.#sleep(at - now);
      // Somebody may have been told meanwhile that all are to wait.
    } while (performance.now() < this.#heldUntil && !this.#signal.aborted);
  }

  async #sleep(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.#signal }).catch(() => {});
  }
}
