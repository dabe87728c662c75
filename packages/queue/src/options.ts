/** Nobody reads BullMQ's own event streams; each entry costs memory. */
export const KEPT_EVENTS = 100;

/**
 * How long before its time an alarm rings, in ms: with `hz 100` Redis ends a blocking wait up to 10 ms late. Its handler
 * waits for what is left, to the ms.
 */
export const LEAD_MS = 10;

/** A killed worker's job runs again after at most the sum of these two, in ms. */
const LOCK_MS = 5_000;
const STALLED_CHECK_MS = 2_500;
/** How long a worker waits after its connection failed, in ms. BullMQ's default is 15 s. */
export const RETRY_MS = 500;

/** What every worker of ours has in common. */
export const WORKER_OPTIONS = {
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_CHECK_MS,
  // The count is never reset, and an alarm lives long: with a bound it would one day fail for good.
  maxStalledCount: Number.MAX_SAFE_INTEGER,
  runRetryDelay: RETRY_MS,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
} as const;
