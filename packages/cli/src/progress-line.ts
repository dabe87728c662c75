import type { ProcessIo } from './output.ts';

/** Shortest time between two changes of the line, in ms. */
const REDRAW_MS = 100;
/** Moves the cursor to the start of the line and erases the line. */
const ERASE_LINE = '\r\x1b[K';

/** Shows the progress of long work as a line on stderr that is updated; writes nothing if stderr is not a terminal. */
export class ProgressLine implements Disposable {
  readonly #stderr: ProcessIo['stderr'];
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(stderr: ProcessIo['stderr']) {
    this.#stderr = stderr;
  }

  /** @param always whether to change the line even within 100 ms of the last change */
  show(text: string, always = false): void {
    const now = performance.now();
    if (!this.#stderr.isTTY || (!always && now - this.#changedAt < REDRAW_MS)) return;
    this.#changedAt = now;
    this.#stderr.write(ERASE_LINE + text);
  }

  /** Erases the line, before other output to the terminal. */
  clear(): void {
    if (this.#stderr.isTTY) this.#stderr.write(ERASE_LINE);
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
