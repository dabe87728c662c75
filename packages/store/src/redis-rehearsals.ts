import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';

/** How long what was said is known after it was last looked at, in s: a week. */
const KNOWN_S = 7 * 86_400;

/** What dry runs have said of each session, so that one worker of many says it, once per deadline. */
export class RedisRehearsals {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /**
   * Records that a call of a session is said, with the deadline it is said for.
   *
   * @param what the call, and what else tells one from the next where no time does
   * @param due the deadline in Unix ms; a worker that was held up may come with one that was said long ago
   * @returns whether it was said for no such deadline yet, nor for a later one
   */
  async isNew(uuid: string, what: string, due: number): Promise<boolean> {
    const key = this.#keys.of(uuid).rehearsed(uuid);
    const replies = await this.#redis.multi().zadd(key, 'GT', 'CH', due, what).expire(key, KNOWN_S).exec();
    const [error, changed] = replies![0]!;
    if (error) throw error;
    return changed === 1;
  }
}
