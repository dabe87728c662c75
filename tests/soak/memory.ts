import { type AppProcess, askRedis, type RedisServer, waitFor } from '@sandman/sandbox';
import type { Redis } from 'ioredis';

/** A process that exports metrics. */
export interface MeasuredProcess {
  readonly name: string;
  readonly app: AppProcess;
  /** The base URL of its metrics. */
  readonly url: string;
}

/** The memory of Redis, in bytes. */
export interface RedisMemory {
  readonly used: number;
  /** The number of tombstones: records of deleted sessions, kept for 24 h. */
  readonly tombstones: number;
  readonly tombstoneBytes: number;
  /** Memory other than that of tombstones. */
  readonly rest: number;
}

const SAMPLE = 500;
const TABLE_ENTRY_BYTES = 8;

/**
 * Asks again if a connection breaks: in a burst an API closes connections whose request it has not read for 3 s.
 *
 * @throws Error with the process's output, if it does not answer for 30 s or has ended
 */
export async function metricsOf({ name, app, url }: MeasuredProcess): Promise<string> {
  let hasEnded = false;
  let cause: unknown;
  void app.exited.then(() => {
    hasEnded = true;
  });
  const ask = async () => {
    try {
      return await (await fetch(`${url}/metrics`)).text();
    } catch (error) {
      cause = error;
      return hasEnded ? '' : null;
    }
  };
  const metrics = await waitFor(`${name} answers`, ask).catch(() => '');
  if (metrics) return metrics;
  throw new Error(`${name} does not answer; it wrote: ${app.stderr().trim() || 'nothing'}`, { cause });
}

/** Returns the sum of all series whose name and labels begin with `series`. */
export function total(metrics: string, series: string): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith(series));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Estimates the average size of a tombstone from a sample, in bytes. */
async function meanTombstone(redis: Redis, tag: string): Promise<number> {
  const uuids = (await redis.call('ZRANDMEMBER', `${tag}:tombstones`, SAMPLE)) as string[];
  const bytes = await Promise.all(uuids.map((uuid) => redis.memory('USAGE', `${tag}:session:${uuid}`)));
  return bytes.reduce<number>((sum, one) => sum + Number(one), 0) / Math.max(1, uuids.length);
}

/**
 * Measures what Redis holds apart from tombstones. Those grow with every deleted session, for a day, and would hide all else.
 *
 * @param tag the shard's key tag
 */
export function redisMemory(server: RedisServer, tag: string): Promise<RedisMemory> {
  return askRedis(server, async (redis) => {
    const used = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
    const tombstones = await redis.zcard(`${tag}:tombstones`);
    const indexes = await Promise.all(['tombstones', 'status:deleted'].map((key) => redis.memory('USAGE', `${tag}:${key}`)));
    // The table of all keys doubles when it grows.
    const table = TABLE_ENTRY_BYTES * 2 ** Math.ceil(Math.log2(1 + (await redis.dbsize())));
    const theirs = indexes.reduce<number>((sum, bytes) => sum + Number(bytes), table + tombstones * (await meanTombstone(redis, tag)));
    return { used, tombstones, tombstoneBytes: theirs / Math.max(1, tombstones), rest: used - theirs };
  });
}
