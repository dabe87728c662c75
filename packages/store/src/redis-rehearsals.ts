import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';

/** How long it is known what was said, in s: a week; who rehearses for longer hears of it again. */
const KNOWN_S = 7 * 86_400;

/** What dry runs have said, so that of many workers one says it, and once. */
export class RedisRehearsals {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /** @returns whether this is the first time that it is said of this session after something else was */
  async isNew(uuid: string, what: string): Promise<boolean> {
    const said = await this.#redis.set(this.#keys.of(uuid).rehearsed(uuid), what, 'EX', KNOWN_S, 'GET');
    return said !== what;
  }
}
