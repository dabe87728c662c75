import { type AlarmClock, FAST_HEARTBEAT_MS, type SessionStore } from '@sandman/core';
import { repeat, type System } from './system.ts';

/**
 * How long before and after an alarm is due heartbeats follow one another quickly, in ms. An alarm that is due shortly after
 * another may have rung already, and then the queue no longer shows it.
 */
const HOT_MS = 20;

export interface HeartbeatOptions {
  readonly store: SessionStore;
  readonly system: System;
  /** The time from one heartbeat to the next, in ms. */
  readonly every: number;
  /** If given, a heartbeat follows right after each of its alarms is due, because an idle sleep or delete waits for one. */
  readonly clock?: Pick<AlarmClock, 'due'>;
  /** Returns whether this process takes pings now. */
  readonly open: () => boolean;
  /** Called at the end of a gap in a shard, with its length in ms. */
  readonly gap: (shard: number, ms: number) => void;
  /** Called when a shard's Redis has come back with older data. */
  readonly rewound: (shard: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Starts the heartbeats, one in each shard. An API notes that it can take pings; if it cannot write that note, it cannot
 * take pings either. Every process that writes records also checks that its last write is still there.
 *
 * @returns a function that ends the heartbeats
 */
export function startHeartbeat({ store, system, every, clock, open, gap, rewound, failed }: HeartbeatOptions): () => Promise<void> {
  const stops = Array.from({ length: store.shards }, (_, shard) => {
    let coming = Number.POSITIVE_INFINITY;
    let passed = Number.NEGATIVE_INFINITY;
    const sendHeartbeat = async () => {
      // The time of the next alarm only decides when the next heartbeat comes. If it cannot be read, this heartbeat still counts.
      const [found, due] = await Promise.all([store.heartbeat(shard, open()), clock?.due(shard).catch(() => null) ?? null]);
      if (found.gap > 0) gap(shard, found.gap);
      if (found.rewound) rewound(shard);
      if (coming <= found.now) {
        passed = coming;
        coming = Number.POSITIVE_INFINITY;
      }
      // Keeps the earlier time, because that alarm may have rung already, a little before its time.
      coming = Math.min(coming, due ?? Number.POSITIVE_INFINITY);
      const left = coming - found.now;
      const isHot = Math.abs(left) < HOT_MS || found.now - passed < HOT_MS;
      // An alarm that has been due for longer waits for a worker, and not for a heartbeat.
      return { again: isHot ? FAST_HEARTBEAT_MS : left > 0 ? left + 1 : every };
    };
    return repeat(system, every, sendHeartbeat, failed);
  });
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}
