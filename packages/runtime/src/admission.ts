import { setTimeout as pause } from 'node:timers/promises';
import { InvalidInput } from '@sandman/core';

/** How long a start waits for it, in ms: a process with wrong settings should end before it serves, and Redis may be away. */
const SOON_MS = 1_000;
/** How soon it is tried again where Redis is away, in ms. */
const AGAIN_MS = 250;

/**
 * Whether this process may touch the data in Redis: only after its settings were found to fit the data. Where Redis is away
 * that is found out when it is back; where they do not fit, the process ends.
 */
export class Admission {
  /** Settles once it may; never where it may not. */
  readonly given: Promise<void>;
  #isGiven = false;

  /**
   * @param check throws InvalidInput where the settings do not fit, and anything else where that cannot be told
   * @param fail ends the process
   */
  constructor(check: () => Promise<void>, fail: (error: unknown) => void) {
    this.given = this.#insist(check, fail);
  }

  get isGiven(): boolean {
    return this.#isGiven;
  }

  async #insist(check: () => Promise<void>, fail: (error: unknown) => void): Promise<void> {
    for (;;) {
      try {
        await check();
        this.#isGiven = true;
        return;
      } catch (error) {
        if (error instanceof InvalidInput) {
          fail(error);
          return new Promise(() => {});
        }
        await pause(AGAIN_MS);
      }
    }
  }

  /** Waits until it is given, for a second at most. */
  async soon(): Promise<void> {
    await Promise.race([this.given, pause(SOON_MS)]);
  }
}
