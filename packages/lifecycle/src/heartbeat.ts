import type { SessionStore } from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

export interface HeartbeatOptions {
  readonly store: SessionStore;
  readonly surroundings: Surroundings;
  /** From one beat to the next, in ms. */
  readonly every: number;
  /** Whether this process takes pings just now. */
  readonly open: () => boolean;
  /** Told of a time, in ms, in which no API could take pings in this shard. */
  readonly gap: (shard: number, ms: number) => void;
  /** Told that the shard's Redis came back with older data than it had. */
  readonly rewound: (shard: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * An API says in each shard that pings can be taken; where it cannot write, it does not take them either. Every process
 * that writes looks, too, whether what it wrote is still there.
 *
 * @returns what ends it
 */
export function startHeartbeat({ store, surroundings, every, open, gap, rewound, failed }: HeartbeatOptions): () => Promise<void> {
  const beats = Array.from({ length: store.shards }, (_, shard) => {
    const beat = async () => {
      const found = await store.beat(shard, open());
      if (found.gap > 0) gap(shard, found.gap);
      if (found.rewound) rewound(shard);
    };
    return repeat(surroundings, every, beat, failed);
  });
  return async () => {
    await Promise.all(beats.map((stop) => stop()));
  };
}
