import type { Pace } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';
import { loadScript } from './script.ts';

const pace = loadScript('pace');

const MICROS = 1_000_000;

/** `SESSION_MANAGER_MAX_RPS`: places at an even distance, so that no second, whenever it begins, holds more than one too many. */
export class RedisPace implements Pace {
  readonly #redis: Redis | Cluster;
  readonly #key: string;
  readonly #distance: number;

  /** @param perSecond 1 to 1,000,000 */
  constructor(redis: Redis | Cluster, prefix: string, perSecond: number) {
    this.#redis = redis;
    // One for all shards: the session-manager is one.
    this.#key = new Keyspace(prefix, 1).shards[0]!.pace;
    this.#distance = Math.ceil(MICROS / perSecond);
  }

  async take(): Promise<number> {
    return ((await pace(this.#redis, [this.#key], [this.#distance])) as number) / 1_000;
  }
}
