import { shardTag } from '@sandman/core';
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { KEPT_EVENTS, WORKER_OPTIONS } from './options.ts';

const QUEUE = 'webhook';
/** Tries between which the wait grows, in ms; then one an hour, for a day in all. */
const FIRST_BACKOFF_MS = 5_000;
const LONGEST_BACKOFF_MS = 3_600_000;
const GIVE_UP_MS = 24 * 3_600_000;

/** @template Delivery what is to be delivered, as JSON */
export interface DeliveryQueueOptions<Delivery extends object> {
  readonly connection: Redis | Cluster;
  readonly prefix: string;
  /** Deliveries at once. */
  readonly concurrency: number;
  /**
   * Delivers; what it throws is tried again later.
   *
   * @param id the same each time
   */
  readonly deliver: (id: string, delivery: Delivery) => Promise<void>;
  /** Told of one that was tried for a day. */
  readonly gaveUp: (id: string, delivery: Delivery) => void;
  readonly onError: (error: Error) => void;
}

/** @param attempts so far, from 1 */
function backoff(attempts: number): number {
  const wait = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 20));
  return Math.round(wait * (1 - Math.random() / 4));
}

/** Deliveries as BullMQ jobs: each is tried until it succeeds, for a day. They have nothing to do with the alarms. */
export class DeliveryQueue<Delivery extends object> {
  readonly #queue: Queue;
  readonly #worker: Worker;

  constructor({ connection, prefix, concurrency, deliver, gaveUp, onError }: DeliveryQueueOptions<Delivery>) {
    // One queue for all shards: what is told is in no script's way.
    const tag = shardTag(prefix, 0);
    this.#queue = new Queue(QUEUE, { connection, prefix: tag, streams: { events: { maxLen: KEPT_EVENTS } } });
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
      settings: { backoffStrategy: backoff },
    }).on('error', onError);
  }

  /**
   * Adding an id that still waits does nothing.
   *
   * @param id of A-Z a-z 0-9 _ -
   * @param name what it is, for people who look at jobs
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

  /** How many are not delivered yet. */
  size(): Promise<number> {
    return this.#queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized');
  }

  /** Takes no more and waits for those that run. */
  async close(): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
  }
}
