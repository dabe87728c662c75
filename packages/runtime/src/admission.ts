import { setTimeout as pause } from 'node:timers/promises';
import { InvalidInput } from '@sandman/core';

/** How long a start waits for the check, in ms: a process with wrong settings should end before it serves. Redis may be away. */
const SOON_MS = 1_000;
/** How soon the check is tried again where Redis is away, in ms. */
const AGAIN_MS = 250;
/** How often the check is repeated later, in ms: Redis may have lost its data, and another process may have announced first. */
const EVERY_MS = 3_000;

export interface AdmissionOptions {
  /** Throws InvalidInput where the settings do not fit the data, and any other error where it could not check. */
  readonly check: () => Promise<void>;
  /** Ends the process. */
  readonly fail: (error: unknown) => void;
  /** Called with the error where the first check failed for another reason than the settings; once, before it first succeeds. */
  readonly unknown: (error: unknown) => void;
}

/**
 * Lets a process use the data in Redis only after a check that its settings fit the data. While Redis is away the check is
 * repeated. If the settings do not fit, the process ends.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #given: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #isGiven = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#given = this.#insist();
    this.#timer = setInterval(() => this.#check(), EVERY_MS);
  }

  get isGiven(): boolean {
    return this.#isGiven;
  }

  /** Resolves once the check has succeeded; never if it does not. */
  get given(): Promise<void> {
    return this.#given;
  }

  /** @throws Error until the check has succeeded */
  assertGiven(): void {
    if (!this.#isGiven) throw new Error('it is not known yet whether the settings of this process fit the data in Redis');
  }

  /** Waits until the check has succeeded, for 1 s at most. */
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

  /** @param told whether `unknown` is not to be called, because operators know already, or because this is a later check */
  async #check(told = true): Promise<boolean> {
    const { check, fail, unknown } = this.#options;
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
