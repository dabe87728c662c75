import { type AlarmClock, type SessionStore, SOON_MS } from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

/**
 * For how long after something was due beats come one right after the other, in ms: what was due shortly after it may
 * have rung already, and can be seen no more.
 */
const HOT_MS = 20;

export interface HeartbeatOptions {
  readonly store: SessionStore;
  readonly surroundings: Surroundings;
  /** From one beat to the next, in ms. */
  readonly every: number;
  /** Whose alarms are waited for: right after one is due there is a beat, for what it is about is decided on silence. */
  readonly clock?: Pick<AlarmClock, 'due'>;
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
export function startHeartbeat({ store, surroundings, every, clock, open, gap, rewound, failed }: HeartbeatOptions): () => Promise<void> {
  const beats = Array.from({ length: store.shards }, (_, shard) => {
    let coming = Number.POSITIVE_INFINITY;
    let passed = Number.NEGATIVE_INFINITY;
    const beat = async () => {
      // When the next alarm is due only makes the next beat come in time: where that cannot be told, this one counts all the same.
      const [found, due] = await Promise.all([store.beat(shard, open()), clock?.due(shard).catch(() => null) ?? null]);
      if (found.gap > 0) gap(shard, found.gap);
      if (found.rewound) rewound(shard);
      if (coming <= found.now) {
        passed = coming;
        coming = Number.POSITIVE_INFINITY;
      }
      // It may have rung already, a little before its time.
      coming = Math.min(coming, due ?? Number.POSITIVE_INFINITY);
      const left = coming - found.now;
      const isHot = Math.abs(left) < HOT_MS || found.now - passed < HOT_MS;
      // What has been due for longer waits for a worker, and not for a beat.
      return isHot ? SOON_MS : left > 0 ? left + 1 : every;
    };
    return repeat(surroundings, every, beat, failed);
  });
  return async () => {
    await Promise.all(beats.map((stop) => stop()));
  };
}
