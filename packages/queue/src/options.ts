import { RedisConnection } from 'bullmq';

// A queue that does not ask for Redis' version takes this for it. BullMQ's own minimum is 5.0, whose scripts read whole lists to find a job.
RedisConnection.minimumVersion = '6.2.0';

/** Options of all BullMQ queues of Sandman. */
export const QUEUE_OPTIONS = {
  // Sandman does not read BullMQ's event streams, and each entry costs memory.
  streams: { events: { maxLen: 100 } },
  // BullMQ 6.7 asks for Redis' version once, when a queue is opened. If that fails, each later call of the queue fails too.
  skipVersionCheck: true,
} as const;

/**
 * How long before its time an alarm rings, in ms. With `hz 100`, Redis ends a blocking wait up to 10 ms late. The handler
 * waits for the rest, to the ms.
 */
export const LEAD_MS = 10;

/** The job of a killed worker runs again after at most the sum of these two, in ms. */
const LOCK_MS = 5_000;
const STALLED_CHECK_MS = 2_500;
/** How long a worker waits after its connection failed, in ms. BullMQ's default is 15 s. */
export const RETRY_MS = 500;

/** Options of all BullMQ workers of Sandman. */
export const WORKER_OPTIONS = {
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_CHECK_MS,
  // BullMQ never resets the count, and an alarm lives long. With a limit it would fail for good one day.
  maxStalledCount: Number.MAX_SAFE_INTEGER,
  runRetryDelay: RETRY_MS,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
} as const;
