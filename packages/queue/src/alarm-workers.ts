import { setTimeout } from 'node:timers/promises';
import { ALARM_NAMES, type AlarmEnd, type AlarmRef, shardTag } from '@sandman/core';
import { DelayedError, type Job, type Telemetry, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { parseJobId } from './names.ts';
import { LEAD_MS, RETRY_MS, WORKER_OPTIONS } from './options.ts';

/** Handles an alarm. Never throws: an error becomes a backoff, or the alarm rings again. */
export type AlarmHandler = (alarm: AlarmRef) => Promise<AlarmEnd>;

/** BullMQ's error codes for a job that this worker no longer has: it was removed, or it stalled and another worker took it. */
const NOT_OURS = new Set([-1, -2, -3, -6]);

/** Moves a running job to its next time. Retries on errors, because an error in the processor would fail the job and end the alarm. */
async function ringAgain(job: Job, token: string | undefined, ms: number, onError: (error: Error) => void): Promise<void> {
  const at = Date.now() + (ms > LEAD_MS ? ms - LEAD_MS : ms);
  for (;;) {
    try {
      return await job.moveToDelayed(at, token);
    } catch (error) {
      if (NOT_OURS.has((error as { code?: number }).code ?? 0)) return;
      onError(error as Error);
      await setTimeout(RETRY_MS);
    }
  }
}

export interface AlarmWorkersOptions {
  readonly connection: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  /** Jobs that run at once, per queue. */
  readonly concurrency: number;
  readonly handle: AlarmHandler;
  readonly onError: (error: Error) => void;
  readonly telemetry?: Telemetry | undefined;
}

/** Runs one BullMQ worker per queue and shard. Wakes have their own queue, so they never wait behind sleeps. */
export class AlarmWorkers {
  readonly #workers: readonly Worker[];

  constructor({ connection, prefix, shards, concurrency, handle, onError, telemetry }: AlarmWorkersOptions) {
    const process = async (job: Job, token?: string) => {
      const alarm = parseJobId(job.id);
      if (!alarm) return;
      const end = await handle(alarm);
      if (end.kind === 'completed') return;
      await ringAgain(job, token, end.ms, onError);
      throw new DelayedError();
    };
    const tags = Array.from({ length: shards }, (_, shard) => shardTag(prefix, shard));
    this.#workers = tags.flatMap((tag) =>
      ALARM_NAMES.map((name) =>
        new Worker(name, process, {
          connection,
          prefix: tag,
          concurrency,
          ...WORKER_OPTIONS,
          ...(telemetry ? { telemetry } : {}),
        }).on('error', onError),
      ),
    );
  }

  isRunning(): boolean {
    return this.#workers.every((worker) => worker.isRunning());
  }

  /** Stops taking jobs for now, or takes them again. Running jobs go on. */
  async setPaused(paused: boolean): Promise<void> {
    await Promise.all(this.#workers.map((worker) => (paused ? worker.pause(true) : worker.resume())));
  }

  /** Stops taking jobs and waits for those that run. The caller must bound this, because BullMQ waits without a limit. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}
