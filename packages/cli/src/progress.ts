import type { CommandFailure } from './exit.ts';
import type { Surroundings } from './output.ts';

/** How often it says so where no line can be updated, in ms. */
const EVERY_MS = 5_000;
/** Back to the line's start, and what stands there erased. */
const ANEW = '\r\x1b[K';

/** How far many calls are, on stderr: on a terminal one line that is kept up to date, else one now and then. */
export class Progress {
  done = 0;
  readonly failed: CommandFailure[] = [];
  readonly #stderr: Surroundings['stderr'];
  readonly #doing: string;
  readonly #total: number;
  #saidAt = performance.now();

  /** @param doing such as `waking` */
  constructor(stderr: Surroundings['stderr'], doing: string, total: number) {
    this.#stderr = stderr;
    this.#doing = doing;
    this.#total = total;
  }

  /** Those that nothing was done about yet. */
  get left(): number {
    return this.#total - this.done - this.failed.length;
  }

  update(): void {
    const failures = this.failed.length > 0 ? `, ${this.failed.length} failed` : '';
    const text = `${this.#doing}: ${this.#total - this.left} of ${this.#total}${failures}`;
    if (this.#stderr.isTTY) {
      this.#stderr.write(ANEW + text);
    } else if (performance.now() - this.#saidAt >= EVERY_MS) {
      this.#saidAt = performance.now();
      this.say(text);
    }
  }

  /** Makes room for what else is written to the terminal. */
  clear(): void {
    if (this.#stderr.isTTY) this.#stderr.write(ANEW);
  }

  /** A line that stays. */
  say(line: string): void {
    this.clear();
    this.#stderr.write(`${line}\n`);
  }
}
