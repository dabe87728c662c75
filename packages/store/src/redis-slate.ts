import { type Ingest, knownBeat, STATUSES, shardOf } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';
import { loadScript } from './script.ts';

const clocked = loadScript('clocked');

/** Reads the state of the shards for a restore: whether Redis is empty, and each shard's clock and intake. */
export class RedisSlate {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /** Returns how many sessions there are, tombstones included. */
  async size(): Promise<number> {
    const counts = this.#keys.shards.flatMap((keys) => STATUSES.map((status) => this.#redis.zcard(keys.status(status))));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Clears the mark that Redis lost data. To be used only where Redis is empty: the marked sessions are gone, and a mark that
   * stays would postpone every delete of the sessions that are restored.
   */
  async wipe(): Promise<void> {
    await Promise.all(this.#keys.shards.map(({ ingest }) => this.#redis.hdel(ingest, 'rewound')));
  }

  /** Returns the clock (ms) and the intake of a session's shard. */
  async shardOf(uuid: string): Promise<{ readonly now: number; readonly ingest: Ingest }> {
    const keys = this.#keys.shards[shardOf(uuid, this.#keys.shards.length)]!;
    const [now, flat] = (await clocked(this.#redis, [keys.ingest], [])) as [number, string[]];
    const of = (name: keyof Ingest) => (flat.includes(name) ? Number(flat[flat.indexOf(name) + 1]) : 0);
    return {
      now,
      ingest: { beat: knownBeat(of('beat'), now), floor: of('floor'), lost: of('lost'), rewound: of('rewound'), warning: of('warning') },
    };
  }
}
