import type { ActivityKind } from './api-types.ts';

export interface DroppedEvent {
  readonly uuid?: string;
  readonly userId?: string;
  readonly kind: ActivityKind;
  /** When it happened: ISO 8601. */
  readonly at: string;
}

/** Activity that will never be delivered. */
export interface Drop {
  readonly count: number;
  /**
   * `invalid`: malformed · `full`: the buffer was full · `too-old`: older than `maxAge` · `closed`: the client was closed ·
   * else the code of Sandman's refusal, such as `session-not-found`, `session-deleted` or `unauthorized`.
   */
  readonly reason: string;
  /** The events that were dropped; absent for `invalid`. */
  readonly events?: readonly DroppedEvent[];
}

const WARN_EVERY_MS = 60_000;

/** Warns on the console at most once a minute, with the counts since the last warning. */
export class RareWarning {
  readonly #what: string;
  readonly #counts = new Map<string, number>();
  #quietUntil = 0;

  /** @param what happened, for the line on the console */
  constructor(what: string) {
    this.#what = what;
  }

  add(reason: string, count: number): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count);
    if (performance.now() < this.#quietUntil) return;
    this.#quietUntil = performance.now() + WARN_EVERY_MS;
    const counts = [...this.#counts].map(([name, times]) => `${name} ${times}`).join(', ');
    this.#counts.clear();
    console.warn(`sandman: ${this.#what}: ${counts}`);
  }
}

/** Reports dropped activity to `onDrop`, or else on the console. Never throws. */
export class Drops {
  readonly #onDrop: ((drop: Drop) => void) | undefined;
  readonly #dropped = new RareWarning('activity dropped');
  readonly #waiting = new RareWarning('activity waits, for it cannot be delivered now');
  #total = 0;

  constructor(onDrop: ((drop: Drop) => void) | undefined) {
    this.#onDrop = onDrop;
  }

  get total(): number {
    return this.#total;
  }

  report(drop: Drop): void {
    if (drop.count === 0) return;
    this.#total += drop.count;
    const onDrop = this.#onDrop;
    // An error in `onDrop` must not reach the caller that reports activity.
    if (onDrop) new Promise((resolve) => resolve(onDrop(drop))).catch((error) => console.warn('sandman: onDrop failed', error));
    else this.#dropped.add(drop.reason, drop.count);
  }

  /** Warns that activity cannot be delivered now. Does nothing if there is an `onDrop`, which learns only of drops. */
  warn(code: string): void {
    if (!this.#onDrop) this.#waiting.add(code, 1);
  }
}
