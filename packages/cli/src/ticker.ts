import type { Surroundings } from './output.ts';

/** How often the line changes, in ms. */
const EVERY_MS = 100;
/** Back to the line's start, and what stands there erased. */
const ANEW = '\r\x1b[K';

/** A line on a terminal's stderr that says how far long work is; elsewhere nothing. */
export class Ticker implements Disposable {
  readonly #stderr: Surroundings['stderr'];
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(stderr: Surroundings['stderr']) {
    this.#stderr = stderr;
  }

  /** @param always also where the line has only just changed: long work follows */
  say(text: string, always = false): void {
    const now = performance.now();
    if (!this.#stderr.isTTY || (!always && now - this.#changedAt < EVERY_MS)) return;
    this.#changedAt = now;
    this.#stderr.write(ANEW + text);
  }

  [Symbol.dispose](): void {
    if (this.#stderr.isTTY) this.#stderr.write(ANEW);
  }
}
