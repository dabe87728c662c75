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
   * `invalid`: it was no activity · `full`: there were too many others · `too-old` · `closed`: the client was ·
   * else the code that Sandman refused it with, such as `session-not-found`, `session-deleted` or `unauthorized`.
   */
  readonly reason: string;
  /** Which; left out where that cannot be said. */
  readonly events?: readonly DroppedEvent[];
}

const WARN_EVERY_MS = 60_000;

/** Warns of what happens often: at most once a minute, with how often it happened since. */
export class RareWarning {
  readonly #what: string;
  readonly #counts = new Map<string, number>();
  #quietUntil = 0;

  /** @param what happens, for the line on the console */
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

/** Reports what is dropped. Never throws. */
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
    const told = this.#onDrop;
    // A mistake in there is nobody's who sends activity.
    if (told) new Promise((resolve) => resolve(told(drop))).catch((error) => console.warn('sandman: onDrop failed', error));
    else this.#dropped.add(drop.reason, drop.count);
  }

  /** Says that nothing gets through: nobody else would, before something is lost. */
  warn(code: string): void {
    if (!this.#onDrop) this.#waiting.add(code, 1);
  }
}
