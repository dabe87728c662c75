import { type AlarmClock, type SessionStore, SOON_MS } from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

/** Alarms that are due for longer than this are a backlog, in ms. */
const BACKLOG_MS = 1_000;

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
    const beat = async () => {
      const [found, due] = await Promise.all([store.beat(shard, open()), clock?.due(shard) ?? null]);
      if (found.gap > 0) gap(shard, found.gap);
      if (found.rewound) rewound(shard);
      // What has been due for longer waits for a worker, and not for a beat.
      return due !== null && due > found.now - BACKLOG_MS ? Math.max(SOON_MS, due - found.now + 1) : every;
    };
    return repeat(surroundings, every, beat, failed);
  });
  return async () => {
    await Promise.all(beats.map((stop) => stop()));
  };
}
