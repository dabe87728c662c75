import { ALARM_NAMES, type Alarm, type AlarmClock, type AlarmName, type AlarmRef, shardOf, shardTag } from '@sandman/core';
import { Job, Queue, type Telemetry } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { jobId, parseJobId } from './names.ts';
import { LEAD_MS, QUEUE_OPTIONS } from './options.ts';

/** Error codes of BullMQ's `changeDelay`, from its script. */
const NO_SUCH_JOB = -1;
const NOT_DELAYED = -3;

/** The factor of ms in a delayed job's score: the twelve bits below the time keep the order of addition. */
const SCORE_PER_MS = 0x1000;

/** Adds alarms. One that is due now carries the trace in which it was set; one for later begins its own trace when it rings. */
class AlarmQueue extends Queue {
  /** @param at when the alarm is due, in ms since 1970 */
  async arm(name: AlarmName, jobId: string, at: number): Promise<void> {
    const now = Date.now();
    const delay = at - LEAD_MS - now;
    if (delay > 0) {
      const job = new Job(this, name, {}, { delay }, jobId);
      // BullMQ adds the delay to this. Its own reading of the clock may be a ms later.
      job.timestamp = now;
      // Avoids BullMQ's telemetry, which would keep the trace in the job until it rings, and leaves the id out of the job's
      // options, where it would take 40 bytes more.
      await this.backend.addJob(job.asJSON(), jobId);
    } else {
      await this.add(name, {}, { jobId });
    }
  }
}

/** Sets alarms as delayed BullMQ jobs. A job carries nothing but its id: the record is the truth. */
export class AlarmQueues implements AlarmClock {
  readonly #redis: Redis | Cluster;
  readonly #shards: readonly Record<AlarmName, AlarmQueue>[];

  /** @param onError called with BullMQ's connection errors, which its queues would otherwise throw */
  constructor(connection: Redis | Cluster, prefix: string, shards: number, onError: (error: Error) => void, telemetry?: Telemetry) {
    this.#redis = connection;
    this.#shards = Array.from({ length: shards }, (_, shard) => {
      const options = { connection, prefix: shardTag(prefix, shard), ...QUEUE_OPTIONS };
      const open = (name: AlarmName) => new AlarmQueue(name, { ...options, ...(telemetry ? { telemetry } : {}) }).on('error', onError);
      return { sleep: open('sleep'), delete: open('delete'), wake: open('wake') };
    });
  }

  /** The three queues of each shard, for code that reads jobs and sets no alarms. */
  get byShard(): readonly Readonly<Record<AlarmName, Queue>>[] {
    return this.#shards;
  }

  #queue(uuid: string, name: AlarmName): AlarmQueue {
    return this.#shards[shardOf(uuid, this.#shards.length)]![name];
  }

  async arm(uuid: string, n: number, alarms: readonly Alarm[]): Promise<void> {
    await Promise.all(alarms.map(({ name, at }) => this.#queue(uuid, name).arm(name, jobId({ name, uuid, n }), at)));
  }

  async move(ref: AlarmRef, at: number): Promise<boolean> {
    // BullMQ adds the delay to this machine's clock in the same tick, so the job's time is exact: neither the difference to
    // Redis' clock nor the time since that clock was read matters.
    const delay = at - LEAD_MS - Date.now();
    // An alarm is never moved to an earlier time, and one that is due need not be moved. The form of the condition also stops
    // NaN, which BullMQ takes for "now".
    if (!(delay > 0)) return true;
    try {
      await this.#queue(ref.uuid, ref.name).backend.changeDelay(jobId(ref), delay);
    } catch (error) {
      const code = (error as { code?: number }).code;
      if (code === NO_SUCH_JOB) return false;
      // The job waits or runs. Its handler reads the record and moves the alarm itself.
      if (code !== NOT_DELAYED) throw error;
    }
    return true;
  }

  async disarm(uuid: string, n: number, names: readonly AlarmName[]): Promise<void> {
    await Promise.all(names.map((name) => this.#queue(uuid, name).remove(jobId({ name, uuid, n }))));
  }

  async due(shard: number): Promise<number | null> {
    const { sleep, delete: remove } = this.#shards[shard]!;
    const firsts = await Promise.all([sleep, remove].map((queue) => this.#redis.zrange(queue.toKey('delayed'), '0', '0', 'WITHSCORES')));
    const dues = firsts.flatMap(([, score]) => (score === undefined ? [] : Number(score) / SCORE_PER_MS));
    return dues.length === 0 ? null : Math.min(...dues) + LEAD_MS;
  }

  async rings(ref: AlarmRef): Promise<number | null> {
    const queue = this.#queue(ref.uuid, ref.name);
    const id = jobId(ref);
    // In one transaction, because a job moves between these keys. Only the set of delayed jobs has an alarm's time: `job.delay`
    // counts from a timestamp that `changeDelay` does not change.
    const replies = await this.#redis
      .multi()
      .zscore(queue.toKey('delayed'), id)
      .lpos(queue.toKey('wait'), id)
      .lpos(queue.toKey('active'), id)
      .exec();
    const [score, waiting, active] = replies!.map(([error, reply]) => {
      if (error) throw error;
      return reply as string | number | null;
    });
    if (score !== null) return Math.floor(Number(score) / SCORE_PER_MS) + LEAD_MS;
    return waiting !== null || active !== null ? 0 : null;
  }

  /**
   * Returns the alarms of one name that ring next, soonest first. An alarm may ring before its deadline, which only the
   * record has.
   *
   * @param limit 1 or more
   */
  async next(name: AlarmName, limit: number): Promise<AlarmRef[]> {
    const byShard = this.#shards.map(async (queues) => {
      const flat = await this.#redis.zrange(queues[name].toKey('delayed'), '0', String(limit - 1), 'WITHSCORES');
      return Array.from({ length: flat.length / 2 }, (_, i) => ({ ref: parseJobId(flat[2 * i]), score: Number(flat[2 * i + 1]) }));
    });
    const all = (await Promise.all(byShard)).flat().sort((a, b) => a.score - b.score);
    return all.flatMap(({ ref }) => ref ?? []).slice(0, limit);
  }

  /** Counts, per queue and over all shards, jobs that are due and not finished, also those that no worker has taken yet. */
  async backlog(): Promise<Record<AlarmName, number>> {
    const counts = { sleep: 0, delete: 0, wake: 0 };
    for (const shard of this.#shards) {
      const due = (await this.#clock(shard)) * SCORE_PER_MS;
      for (const name of ALARM_NAMES) {
        const queue = shard[name];
        const [taken, waiting] = await Promise.all([
          queue.getJobCountByTypes('waiting', 'active', 'prioritized'),
          this.#redis.zcount(queue.toKey('delayed'), '-inf', due),
        ]);
        counts[name] += taken + waiting;
      }
    }
    return counts;
  }

  /**
   * Returns, per queue, how long ago the oldest alarm was due that no worker has taken, in ms; 0 where there is none. Of jobs
   * that are in BullMQ's waiting list already, only wakes are counted: the age of others is unknown, because they were moved
   * after they were added.
   */
  async late(): Promise<Record<AlarmName, number>> {
    const late = { sleep: 0, delete: 0, wake: 0 };
    const ofQueue = async (name: AlarmName, queue: Queue, now: number) => {
      const [, score] = await this.#redis.zrange(queue.toKey('delayed'), '0', '0', 'WITHSCORES');
      if (score !== undefined) late[name] = Math.max(late[name], now - Number(score) / SCORE_PER_MS);
      if (name !== 'wake') return;
      const [waiting] = await queue.getJobs(['waiting'], 0, 0, true);
      if (waiting) late.wake = Math.max(late.wake, now - waiting.timestamp);
    };
    const ofShard = async (queues: Record<AlarmName, AlarmQueue>) => {
      const now = await this.#clock(queues);
      await Promise.all(ALARM_NAMES.map((name) => ofQueue(name, queues[name], now)));
    };
    await Promise.all(this.#shards.map(ofShard));
    return late;
  }

  /** Returns the clock of a shard's Redis, in ms. Lateness is measured by it, because this machine's clock may differ. */
  async #clock({ sleep }: Record<AlarmName, AlarmQueue>): Promise<number> {
    const [seconds, micros] = (await this.#redis.eval("return redis.call('TIME')", 1, sleep.toKey('delayed'))) as [string, string];
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.flatMap((queues) => Object.values(queues).map((queue) => queue.close())));
  }
}
