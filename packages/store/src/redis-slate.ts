import { type Ingest, knownBeat, STATUSES, shardOf } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';
import { loadScript } from './script.ts';

const clocked = loadScript('clocked');

/** What whoever writes records into an empty Redis must know of it: whether it is, and how each shard stands. */
export class RedisSlate {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /** How many sessions there are, those deleted within the last day too. */
  async size(): Promise<number> {
    const counts = this.#keys.shards.flatMap((keys) => STATUSES.map((status) => this.#redis.zcard(keys.status(status))));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Forgets that this Redis was found to have lost data: what was meant by that is gone altogether. Only where it is empty;
   * left standing, it would move out every delete of those that are written now.
   */
  async wipe(): Promise<void> {
    await Promise.all(this.#keys.shards.map(({ ingest }) => this.#redis.hdel(ingest, 'rewound')));
  }

  /** A session's shard: its clock (ms), and what it knows of the pings' way in. */
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
