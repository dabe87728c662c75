import { setTimeout as pause } from 'node:timers/promises';
import { InvalidInput } from '@sandman/core';

/** How long a start waits for the check, in ms: a process with wrong settings should end before it serves. Redis may be away. */
const SOON_MS = 1_000;
/** How soon the check is tried again, in ms: while the connection may still be opening, and where Redis is away. */
const OPENING_AGAIN_MS = 25;
const AWAY_AGAIN_MS = 250;
/** How often the check is repeated later, in ms: Redis may have lost its data, and another process may have announced first. */
const EVERY_MS = 3_000;

export interface AdmissionOptions {
  /** Throws InvalidInput where the settings do not fit the data, and any other error where it could not check. */
  readonly check: () => Promise<void>;
  /** Ends the process. */
  readonly fail: (error: unknown) => void;
  /** Called once if no check has succeeded for 1 s, with the error of the latest. */
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
    const startedAt = performance.now();
    let told = false;
    for (;;) {
      const isAway = performance.now() - startedAt >= SOON_MS;
      if (await this.#check(isAway && !told)) break;
      told ||= isAway;
      await pause(isAway ? AWAY_AGAIN_MS : OPENING_AGAIN_MS);
    }
    this.#isGiven = true;
  }

  /** @param tell whether `unknown` is called if the check fails for another reason than the settings */
  async #check(tell = false): Promise<boolean> {
    const { check, fail, unknown } = this.#options;
    try {
      await check();
      return true;
    } catch (error) {
      if (error instanceof InvalidInput) fail(error);
      else if (tell) unknown(error);
      return false;
    }
  }
}
