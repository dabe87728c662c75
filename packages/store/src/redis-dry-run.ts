import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';

/** How long logged calls are remembered after the last check, in s: a week. */
const REMEMBERED_S = 7 * 86_400;

/** Remembers the calls that dry runs have logged, so that only one worker logs each, once per deadline. */
export class RedisDryRun {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /**
   * Records that a call of a session is being logged for a deadline.
   *
   * @param what the call and its cause
   * @param due the deadline in Unix ms; a worker that was delayed may bring one that was logged long ago
   * @returns whether the call was not yet logged for this deadline, nor for a later one
   */
  async isNew(uuid: string, what: string, due: number): Promise<boolean> {
    const key = this.#keys.of(uuid).dryRunCalls(uuid);
    const replies = await this.#redis.multi().zadd(key, 'GT', 'CH', due, what).expire(key, REMEMBERED_S).exec();
    const [error, changed] = replies![0]!;
    if (error) throw error;
    return changed === 1;
  }
}
