import type { ServerResponse } from 'node:http';

/** Gives a place back; further calls do nothing. */
export type Release = () => void;

/** Counts out a bounded number of places: streams, waiting callers, bytes. */
export class Places {
  readonly most: number;
  #taken = 0;

  /** @param most how many places there are, 1 or more */
  constructor(most: number) {
    this.most = most;
  }

  /** How many places are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether none is free. */
  get full(): boolean {
    return this.#taken >= this.most;
  }

  /**
   * Takes places.
   *
   * @param count 0 or more, and at most `most`
   * @returns what gives them back; null where fewer than `count` are free, and then none is taken
   */
  take(count = 1): Release | null {
    if (this.#taken + count > this.most) return null;
    this.#taken += count;
    let held = true;
    return () => {
      if (held) this.#taken -= count;
      held = false;
    };
  }
}

/**
 * Calls `then` once, as soon as an answer is sent or its caller is gone: at once where that has happened already, since
 * `close` is emitted only once and may precede whatever a handler waited for.
 */
export function whenOver(answer: ServerResponse, then: () => void): void {
  if (answer.closed) then();
  else answer.once('close', then);
}
