import { exponentialBackoff, shardTag } from '@sandman/core';
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { QUEUE_OPTIONS, WORKER_OPTIONS } from './options.ts';

const QUEUE = 'webhook';
const BACKOFF = { first: 5_000, longest: 3_600_000, jitter: 0.25 };
/** When tries end, in ms after the delivery was added. */
const GIVE_UP_MS = 24 * 3_600_000;

/** @template Delivery what is to be delivered, as JSON */
export interface DeliveryQueueOptions<Delivery extends object> {
  readonly connection: Redis | Cluster;
  readonly prefix: string;
  /** Deliveries that run at once. */
  readonly concurrency: number;
  /**
   * Tries a delivery once. If it throws, it is called again later.
   *
   * @param id the same in each try
   */
  readonly deliver: (id: string, delivery: Delivery) => Promise<void>;
  /** Called when a delivery is given up after a day of tries. */
  readonly gaveUp: (id: string, delivery: Delivery) => void;
  readonly onError: (error: Error) => void;
}

/** Makes deliveries as BullMQ jobs: each is tried until it succeeds, for a day. This queue is independent of the alarms. */
export class DeliveryQueue<Delivery extends object> {
  readonly #queue: Queue;
  readonly #worker: Worker;

  constructor({ connection, prefix, concurrency, deliver, gaveUp, onError }: DeliveryQueueOptions<Delivery>) {
    // One queue serves all shards, because no Lua script has to write deliveries together with a record.
    const tag = shardTag(prefix, 0);
    this.#queue = new Queue(QUEUE, { connection, prefix: tag, ...QUEUE_OPTIONS });
    this.#queue.on('error', onError);
    const work = async ({ id, data, timestamp }: Job<Delivery>) => {
      try {
        await deliver(id!, data);
      } catch (error) {
        if (Date.now() - timestamp < GIVE_UP_MS) throw error;
        gaveUp(id!, data);
        throw new UnrecoverableError((error as Error).message);
      }
    };
    this.#worker = new Worker(QUEUE, work, {
      connection,
      prefix: tag,
      concurrency,
      ...WORKER_OPTIONS,
      settings: { backoffStrategy: (attempts: number) => exponentialBackoff(BACKOFF, attempts, Math.random()) },
    }).on('error', onError);
  }

  /**
   * Adds a delivery. Does nothing if a delivery with this id still waits.
   *
   * @param id characters A-Z a-z 0-9 _ -
   * @param name the kind of delivery, for people who look at jobs
   */
  async add(id: string, name: string, delivery: Delivery): Promise<void> {
    await this.#queue.add(name, delivery, {
      jobId: id,
      attempts: Number.MAX_SAFE_INTEGER,
      backoff: { type: 'custom' },
      // BullMQ would keep the stack of each try in the job: 30 kB in a day.
      stackTraceLimit: 0,
    });
  }

  /** Counts the deliveries that are not done yet. */
  size(): Promise<number> {
    return this.#queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized');
  }

  /** Stops taking deliveries and waits for those that run. */
  async close(): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
  }
}
