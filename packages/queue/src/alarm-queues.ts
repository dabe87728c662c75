import { ALARM_NAMES, type Alarm, type AlarmClock, type AlarmName, type AlarmRef, shardOf, shardTag } from '@sandman/core';
import { Job, Queue, type Telemetry } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { jobId, parseJobId } from './names.ts';
import { KEPT_EVENTS, LEAD_MS } from './options.ts';

/** BullMQ's answers to `changeDelay`, as its script has them. */
const NO_SUCH_JOB = -1;
const NOT_DELAYED = -3;

/** A delayed job's score: its time in ms, and twelve bits below that keep the order of addition. */
const SCORE_PER_MS = 0x1000;

/** An alarm that is due carries the trace it was set in; one for later carries none, and begins its own when it rings. */
class AlarmQueue extends Queue {
  /** @param delay in ms; what is due has none, or less */
  async arm(name: AlarmName, jobId: string, delay: number): Promise<void> {
    if (delay > 0) {
      // Without BullMQ's telemetry, which would keep the trace in the job for as long as it stands, and without the id
      // among its options, where it would take 40 bytes more.
      await this.backend.addJob(new Job(this, name, {}, { delay }, jobId).asJSON(), jobId);
    } else {
      await this.add(name, {}, { jobId });
    }
  }
}

/** Alarms as delayed BullMQ jobs. A job carries nothing but its id: the record is the truth. */
export class AlarmQueues implements AlarmClock {
  readonly #redis: Redis | Cluster;
  readonly #shards: readonly Record<AlarmName, AlarmQueue>[];

  /** @param onError told of BullMQ's connection errors, which its queues would otherwise throw */
  constructor(connection: Redis | Cluster, prefix: string, shards: number, onError: (error: Error) => void, telemetry?: Telemetry) {
    this.#redis = connection;
    this.#shards = Array.from({ length: shards }, (_, shard) => {
      const options = { connection, prefix: shardTag(prefix, shard), streams: { events: { maxLen: KEPT_EVENTS } } };
      const open = (name: AlarmName) => new AlarmQueue(name, { ...options, ...(telemetry ? { telemetry } : {}) }).on('error', onError);
      return { sleep: open('sleep'), delete: open('delete'), wake: open('wake') };
    });
  }

  /** The three queues of each shard, for those who look at jobs rather than set alarms. */
  get byShard(): readonly Readonly<Record<AlarmName, Queue>>[] {
    return this.#shards;
  }

  #queue(uuid: string, name: AlarmName): AlarmQueue {
    return this.#shards[shardOf(uuid, this.#shards.length)]![name];
  }

  async arm(uuid: string, n: number, alarms: readonly Alarm[]): Promise<void> {
    await Promise.all(alarms.map(({ name, at }) => this.#queue(uuid, name).arm(name, jobId({ name, uuid, n }), at - LEAD_MS - Date.now())));
  }

  async move(ref: AlarmRef, at: number): Promise<boolean> {
    // BullMQ counts it from this machine's clock in the same tick, so that the job stands where it should: neither the
    // difference of that clock from Redis' nor the time since somebody read Redis' goes into it.
    const delay = at - LEAD_MS - Date.now();
    // BullMQ takes NaN for "now", and an alarm is never moved in: what is due already needs no moving.
    if (!(delay > 0)) return true;
    try {
      await this.#queue(ref.uuid, ref.name).backend.changeDelay(jobId(ref), delay);
    } catch (error) {
      const code = (error as { code?: number }).code;
      if (code === NO_SUCH_JOB) return false;
      // It waits or runs: its handler looks at the record, and moves itself.
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
    // `job.delay` counts from a timestamp that `changeDelay` does not move: only the set of delayed jobs knows.
    const score = await this.#redis.zscore(queue.toKey('delayed'), jobId(ref));
    if (score !== null) return Math.floor(Number(score) / SCORE_PER_MS) + LEAD_MS;
    const state = await queue.getJobState(jobId(ref));
    return state === 'waiting' || state === 'active' || state === 'prioritized' || state === 'delayed' ? 0 : null;
  }

  /**
   * The alarms of one name that ring next, soonest first. They may ring earlier than what they are about is due: only the
   * record knows that.
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

  /** Per queue, over all shards: jobs that are due and not finished, also those that no worker is there to take up. */
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
   * How long ago the oldest alarm was due that nobody has taken up, in ms; 0 where there is none. Of those that wait in
   * line already only wakes are known by their age: others were moved since they were added.
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

  /** The clock of a shard's Redis, in ms: jobs are due by that, whatever this machine's clock shows. */
  async #clock({ sleep }: Record<AlarmName, AlarmQueue>): Promise<number> {
    const [seconds, micros] = (await this.#redis.eval("return redis.call('TIME')", 1, sleep.toKey('delayed'))) as [string, string];
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.flatMap((queues) => Object.values(queues).map((queue) => queue.close())));
  }
}
