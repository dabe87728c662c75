import { setTimeout as pause } from 'node:timers/promises';
import { InvalidInput } from '@sandman/core';

/** How long a start waits for it, in ms: a process with wrong settings should end before it serves, and Redis may be away. */
const SOON_MS = 1_000;
/** How soon it is tried again where Redis is away, in ms. */
const AGAIN_MS = 250;
/** How often it is checked again later, in ms: Redis may have lost its data, and another process have come first. */
const EVERY_MS = 3_000;

export interface AdmissionOptions {
  /** Throws InvalidInput where the settings do not fit the data, and anything else where that cannot be told. */
  readonly check: () => Promise<void>;
  /** Ends the process. */
  readonly fail: (error: unknown) => void;
  /** Told why it cannot be told; once, until it can. */
  readonly unknown: (error: unknown) => void;
}

/**
 * Whether this process may touch the data in Redis: only after its settings were found to fit the data. Where Redis is away
 * that is found out when it is back; where they do not fit, the process ends.
 */
export class Admission {
  readonly #on: AdmissionOptions;
  readonly #given: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #isGiven = false;

  constructor(options: AdmissionOptions) {
    this.#on = options;
    this.#given = this.#insist();
    this.#timer = setInterval(() => this.#check(), EVERY_MS);
  }

  get isGiven(): boolean {
    return this.#isGiven;
  }

  /** Settles once it may; never where it may not. */
  get given(): Promise<void> {
    return this.#given;
  }

  /** @throws Error until it may */
  assertGiven(): void {
    if (!this.#isGiven) throw new Error('it is not known yet whether the settings of this process fit the data in Redis');
  }

  /** Waits until it is given, for a second at most. */
  async soon(): Promise<void> {
    await Promise.race([this.#given, pause(SOON_MS)]);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #insist(): Promise<void> {
    for (let told = false; !(await this.#check(told)); told = true) await pause(AGAIN_MS);
    this.#isGiven = true;
  }

  /** @param told whether operators know already that it cannot be told */
  async #check(told = true): Promise<boolean> {
    const { check, fail, unknown } = this.#on;
    try {
      await check();
      return true;
    } catch (error) {
      if (error instanceof InvalidInput) fail(error);
      else if (!told) unknown(error);
      return false;
    }
  }
}
