import type { RateLimiter } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';
import { loadScript } from './script.ts';

const rateLimit = loadScript('rate-limit');

const MICROS = 1_000_000;

/** A rate limiter for all processes. It gives out slots at an even distance, so that no period of 1 s has more than one too many. */
export class RedisRateLimiter implements RateLimiter {
  readonly #redis: Redis | Cluster;
  readonly #key: string;
  readonly #distance: number;

  /**
   * @param perSecond 0.001 to 1,000,000
   * @param name which limit: `pace` for `SESSION_MANAGER_MAX_RPS`, `patrolPace` for `PATROL_RATE`
   */
  constructor(redis: Redis | Cluster, prefix: string, perSecond: number, name: 'pace' | 'patrolPace' = 'pace') {
    this.#redis = redis;
    // One limit for all shards, because there is one session-manager.
    this.#key = new Keyspace(prefix, 1).shards[0]![name];
    this.#distance = Math.ceil(MICROS / perSecond);
  }

  async take(): Promise<number> {
    return this.#take(0);
  }

  /**
   * Takes a slot that passed unused, so that the next call still finds a free one.
   *
   * @returns 0 if it took one; else how long until there may be one, in ms
   */
  async takeSpare(): Promise<number> {
    return this.#take(1);
  }

  async #take(spare: 0 | 1): Promise<number> {
    return ((await rateLimit(this.#redis, [this.#key], [this.#distance, spare])) as number) / 1_000;
  }
}
