import type { Alarm, AlarmRef } from '@sandman/core';
import { AlarmQueues, jobId } from '@sandman/queue';
import { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';

/** Alternatives to what Sandman does about a ping. Each moves one alarm; Sandman has two. */
export const ALARM_STRATEGIES = ['changeDelay', 'remove + add', 'deduplication', 'ZSET'] as const;
export type AlarmStrategy = (typeof ALARM_STRATEGIES)[number];

/** Each ping moves the delayed job of its session. */
class ChangeDelay extends AlarmQueues {
  override async move(ref: AlarmRef, at: number): Promise<boolean> {
    return ref.name === 'delete' || (await super.move(ref, at));
  }
}

/** Each ping removes the delayed job and adds it again. */
class RemoveAndAdd extends AlarmQueues {
  override async move(ref: AlarmRef, at: number): Promise<boolean> {
    if (ref.name === 'delete') return true;
    const queue = this.byShard[0]!.sleep;
    await queue.remove(jobId(ref));
    await queue.add('sleep', {}, { jobId: jobId(ref), delay: at - Date.now() });
    return true;
  }
}

/** Each ping adds a job that replaces the session's former one, as BullMQ's debounce mode does. */
class Deduplication extends AlarmQueues {
  readonly #queue: Queue;

  constructor(redis: Redis | Cluster, prefix: string) {
    super(redis, prefix, 1, () => {});
    this.#queue = new Queue('debounced', {
      connection: redis,
      prefix: `{${prefix}}`,
      streams: { events: { maxLen: 100 } },
      skipVersionCheck: true,
    });
  }

  override async arm(uuid: string, n: number, alarms: readonly Alarm[]): Promise<void> {
    for (const { name, at } of alarms) await this.move({ name, uuid, n }, at);
  }

  override async move({ name, uuid }: AlarmRef, at: number): Promise<boolean> {
    if (name === 'delete') return true;
    const delay = at - Date.now();
    await this.#queue.add('sleep', { uuid }, { delay, deduplication: { id: uuid, ttl: delay, extend: true, replace: true } });
    return true;
  }

  override async close(): Promise<void> {
    await Promise.all([super.close(), this.#queue.close()]);
  }
}

/** Each ping writes its time into one sorted set, which another process reads from time to time. */
class LastActivity extends AlarmQueues {
  readonly #redis: Redis | Cluster;
  readonly #key: string;

  constructor(redis: Redis | Cluster, prefix: string) {
    super(redis, prefix, 1, () => {});
    this.#redis = redis;
    this.#key = `{${prefix}}:last-activity`;
  }

  override async arm(uuid: string, n: number, alarms: readonly Alarm[]): Promise<void> {
    for (const { name } of alarms) await this.move({ name, uuid, n });
  }

  override async move({ name, uuid }: AlarmRef): Promise<boolean> {
    if (name === 'sleep') await this.#redis.zadd(this.#key, Date.now(), uuid);
    return true;
  }
}

/** @param way null for Sandman's own alarms */
export function alarmsWith(way: AlarmStrategy | null, redis: Redis | Cluster, prefix: string): AlarmQueues {
  if (way === 'changeDelay') return new ChangeDelay(redis, prefix, 1, () => {});
  if (way === 'remove + add') return new RemoveAndAdd(redis, prefix, 1, () => {});
  if (way === 'deduplication') return new Deduplication(redis, prefix);
  if (way === 'ZSET') return new LastActivity(redis, prefix);
  return new AlarmQueues(redis, prefix, 1, () => {});
}
