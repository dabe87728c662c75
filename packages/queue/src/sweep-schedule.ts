import { shardTag } from '@sandman/core';
import { Queue, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { QUEUE_OPTIONS, WORKER_OPTIONS } from './options.ts';

const QUEUE = 'sweep';
/** How often the schedule is written again, in ms, because a Redis that lost its data has lost the schedule too. */
const SCHEDULE_EVERY_MS = 30_000;

export interface SweepScheduleOptions {
  readonly connection: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  /** The time from one visit to a shard to the next, in ms. */
  readonly every: number;
  readonly visit: (shard: number) => Promise<void>;
  readonly onError: (error: Error) => void;
}

/** Schedules visits to each shard, one BullMQ job scheduler per shard. Any worker may make a visit. */
export class SweepSchedule {
  readonly #queues: readonly Queue[];
  readonly #workers: readonly Worker[];
  readonly #timer: NodeJS.Timeout;

  constructor({ connection, prefix, shards, every, visit, onError }: SweepScheduleOptions) {
    const tags = Array.from({ length: shards }, (_, shard) => shardTag(prefix, shard));
    this.#queues = tags.map((tag) => new Queue(QUEUE, { connection, prefix: tag, ...QUEUE_OPTIONS }).on('error', onError));
    const schedule = () => {
      for (const queue of this.#queues) queue.upsertJobScheduler(QUEUE, { every }, { name: QUEUE }).catch(onError);
    };
    schedule();
    this.#timer = setInterval(schedule, SCHEDULE_EVERY_MS);
    this.#workers = tags.map((tag, shard) =>
      // A failed visit is not retried: the next one does its work.
      new Worker(QUEUE, () => visit(shard).catch(onError), { connection, prefix: tag, concurrency: 1, ...WORKER_OPTIONS }).on(
        'error',
        onError,
      ),
    );
  }

  /** Stops taking visits for now, or takes them again. A running visit goes on. */
  async setPaused(paused: boolean): Promise<void> {
    await Promise.all(this.#workers.map((worker) => (paused ? worker.pause(true) : worker.resume())));
  }

  /** Stops taking visits and waits for those that run. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#workers.map((worker) => worker.close()));
    await Promise.all(this.#queues.map((queue) => queue.close()));
  }
}
