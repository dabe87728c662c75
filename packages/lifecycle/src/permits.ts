/** A permit to call the session-manager. */
export type Release = () => void;

/**
 * Bounds the calls in flight, wakes first: a tenth of the permits (at least one, of two or more) is theirs alone, so
 * that sleeps which hang never keep a user waiting.
 */
export class Permits {
  readonly #limit: number;
  readonly #othersLimit: number;
  readonly #wakes: (() => void)[] = [];
  readonly #others: (() => void)[] = [];
  #held = 0;
  #heldByOthers = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#othersLimit = limit - (limit > 1 ? Math.ceil(limit / 10) : 0);
  }

  async acquire(wake: boolean): Promise<Release> {
    if (!this.#free(wake)) await new Promise<void>((resolve) => (wake ? this.#wakes : this.#others).push(resolve));
    else this.#take(wake);
    return () => {
      this.#held--;
      if (!wake) this.#heldByOthers--;
      this.#next();
    };
  }

  #free(wake: boolean): boolean {
    return this.#held < this.#limit && (wake || this.#heldByOthers < this.#othersLimit);
  }

  #take(wake: boolean): void {
    this.#held++;
    if (!wake) this.#heldByOthers++;
  }

  #next(): void {
    const wake = this.#wakes.length > 0;
    const line = wake ? this.#wakes : this.#others;
    if (line.length === 0 || !this.#free(wake)) return;
    this.#take(wake);
    line.shift()?.();
  }
}
