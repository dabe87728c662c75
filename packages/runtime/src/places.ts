import type { ServerResponse } from 'node:http';

/** Gives the places back that were taken together; further calls do nothing. */
export type Release = () => void;

/** Gives out a bounded number of places: streams, waiting callers or bytes. */
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
   * @returns a function that gives them back; null where fewer than `count` are free, and then none is taken
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
 * Calls `then` once, as soon as the answer is sent or the connection is closed. If that has happened already, calls it at
 * once: `close` is emitted only once, perhaps while a handler was still waiting for something else.
 */
export function whenOver(answer: ServerResponse, then: () => void): void {
  if (answer.closed) then();
  else answer.once('close', then);
}
