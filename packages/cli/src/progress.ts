import type { CommandFailure } from './exit.ts';
import type { ProcessIo } from './output.ts';
import { ProgressLine } from './progress-line.ts';

/** How often progress is printed where stderr is not a terminal, in ms. */
const PRINT_MS = 5_000;

/** Shows the progress of many calls on stderr: a line that is updated on a terminal, else a new line every 5 s at most. */
export class Progress {
  done = 0;
  readonly failed: CommandFailure[] = [];
  readonly #stderr: ProcessIo['stderr'];
  readonly #line: ProgressLine;
  readonly #doing: string;
  readonly #total: number;
  #saidAt = performance.now();

  /** @param doing such as `waking` */
  constructor(stderr: ProcessIo['stderr'], doing: string, total: number) {
    this.#stderr = stderr;
    this.#line = new ProgressLine(stderr);
    this.#doing = doing;
    this.#total = total;
  }

  /** How many are neither done nor failed yet. */
  get left(): number {
    return this.#total - this.done - this.failed.length;
  }

  update(): void {
    const failures = this.failed.length > 0 ? `, ${this.failed.length} failed` : '';
    const text = `${this.#doing}: ${this.#total - this.left} of ${this.#total}${failures}`;
    if (this.#stderr.isTTY) {
      this.#line.show(text, true);
    } else if (performance.now() - this.#saidAt >= PRINT_MS) {
      this.#saidAt = performance.now();
      this.say(text);
    }
  }

  /** Erases the progress line, before other output to the terminal. */
  clear(): void {
    this.#line.clear();
  }

  /** Writes a line that stays. */
  say(line: string): void {
    this.clear();
    this.#stderr.write(`${line}\n`);
  }
}
