/** An answer that took longer than this, in ms, is too inexact. */
const SLOW_MS = 500;
/** A smaller difference, in ms, may come from the network. */
const NOISE_MS = 2;

/**
 * Compares this machine's clock with Redis'. A process may follow Redis' clock: its `Date.now` then shows Redis' time. BullMQ
 * decides by `Date.now` which delayed jobs are due, and has no setting for another clock. A worker whose machine is behind
 * would let all alarms ring late, and one that is ahead would set alarms that ring late on other workers.
 */
export class RedisClock {
  readonly #read: () => Promise<number>;
  readonly #ownNow = Date.now;
  #ahead = 0;

  /** @param read reads Redis' clock, in ms */
  constructor(read: () => Promise<number>) {
    this.#read = read;
  }

  /**
   * Compares the clocks.
   *
   * @returns by how much this machine's clock is ahead of Redis', in ms; below 0: behind
   * @throws what `read` throws
   */
  async compare(): Promise<number> {
    const asked = performance.now();
    const redis = await this.#read();
    const took = performance.now() - asked;
    const ahead = this.#ownNow() - (redis + took / 2);
    // Redis read its clock at an unknown time in between, so the result is exact to half of that.
    const isKnownBetter = took <= SLOW_MS && Math.abs(ahead - this.#ahead) > took / 2 + NOISE_MS;
    if (isKnownBetter) this.#ahead = Math.round(ahead);
    return this.#ahead;
  }

  /** Makes `Date.now` show Redis' clock, by the difference found in the last comparison. */
  follow(): void {
    Date.now = () => this.#ownNow() - this.#ahead;
  }

  /** Makes `Date.now` show this machine's clock again. */
  leave(): void {
    Date.now = this.#ownNow;
  }
}
