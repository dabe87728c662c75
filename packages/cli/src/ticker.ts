import type { Surroundings } from './output.ts';

/** Shortest time between two changes of the line, in ms. */
const EVERY_MS = 100;
/** Moves the cursor to the start of the line and erases the line. */
const ANEW = '\r\x1b[K';

/** Shows the progress of long work as a line on stderr that is updated; writes nothing if stderr is not a terminal. */
export class Ticker implements Disposable {
  readonly #stderr: Surroundings['stderr'];
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(stderr: Surroundings['stderr']) {
    this.#stderr = stderr;
  }

  /** @param always whether to change the line even within 100 ms of the last change, because long work follows */
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
