import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { RedisClock } from './redis-clock.ts';

/** How often the clocks are compared, in ms. */
const EVERY_MS = 1_000;
/** A larger difference is logged, in ms. */
const LOGGED_MS = 1_000;

export interface ClockWatchOptions {
  /** Redis' clock, in ms. */
  readonly read: () => Promise<number>;
  /** Whether this process follows Redis' clock ({@link RedisClock.follow}). */
  readonly follow: boolean;
  readonly metrics: Pick<Metrics, 'clockSkew'>;
  readonly logger: Logger;
}

/** Compares this machine's clock with Redis' each second, sets the metric, and logs a large difference. */
export class ClockWatch {
  readonly #clock: RedisClock;
  readonly #options: ClockWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #ahead = 0;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.#clock = new RedisClock(options.read);
    if (options.follow) this.#clock.follow();
    this.#timer = setInterval(() => this.#compare(), EVERY_MS);
    this.#compare();
  }

  /** By how much this machine's clock is ahead of Redis', in ms; below 0: behind. */
  get ahead(): number {
    return this.#ahead;
  }

  async #compare(): Promise<void> {
    const { metrics, logger } = this.#options;
    const before = this.#ahead;
    try {
      this.#ahead = await this.#clock.compare();
    } catch (err) {
      return logger.debug({ err }, 'the clocks could not be compared');
    }
    metrics.clockSkew.set(this.#ahead / 1_000);
    const isLarge = (ms: number) => Math.abs(ms) > LOGGED_MS;
    if (isLarge(this.#ahead) && !isLarge(before))
      logger.warn({ aheadMs: this.#ahead }, "this machine's clock differs from Redis' by more than 1 s; deadlines keep to Redis'");
  }

  close(): void {
    clearInterval(this.#timer);
    this.#clock.leave();
  }
}
