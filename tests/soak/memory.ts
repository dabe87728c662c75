import { type AppProcess, askRedis, type RedisServer } from '@sandman/testing';
import type { Redis } from 'ioredis';

/** A process that says how it is. */
export interface Part {
  readonly name: string;
  readonly app: AppProcess;
  /** Where its metrics are. */
  readonly url: string;
}

/** What Redis holds, in bytes. */
export interface RedisMemory {
  readonly used: number;
  /** Of deleted sessions, known for 24 h by contract. */
  readonly tombstones: number;
  readonly tombstoneBytes: number;
  /** All that is not theirs. */
  readonly rest: number;
}

const SAMPLE = 500;
const TABLE_ENTRY_BYTES = 8;

/** @throws Error with what the process wrote, where it does not answer */
export async function metricsOf({ name, app, url }: Part): Promise<string> {
  try {
    return await (await fetch(`${url}/metrics`)).text();
  } catch (cause) {
    throw new Error(`${name} does not answer; it wrote: ${app.stderr().trim() || 'nothing'}`, { cause });
  }
}

/** The sum of all series whose name and labels begin so. */
export function total(metrics: string, series: string): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith(series));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** A record, as some of them take on average. */
async function meanTombstone(redis: Redis, tag: string): Promise<number> {
  const uuids = (await redis.call('ZRANDMEMBER', `${tag}:tombstones`, SAMPLE)) as string[];
  const bytes = await Promise.all(uuids.map((uuid) => redis.memory('USAGE', `${tag}:session:${uuid}`)));
  return bytes.reduce<number>((sum, one) => sum + Number(one), 0) / Math.max(1, uuids.length);
}

/**
 * What Redis holds beside its tombstones: those grow with every session deleted, for a day, and would hide all else.
 *
 * @param tag the shard's
 */
export function redisMemory(server: RedisServer, tag: string): Promise<RedisMemory> {
  return askRedis(server, async (redis) => {
    const used = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
    const tombstones = await redis.zcard(`${tag}:tombstones`);
    const indexes = await Promise.all(['tombstones', 'status:deleted'].map((key) => redis.memory('USAGE', `${tag}:${key}`)));
    // The table of all keys grows by doubling.
    const table = TABLE_ENTRY_BYTES * 2 ** Math.ceil(Math.log2(1 + (await redis.dbsize())));
    const theirs = indexes.reduce<number>((sum, bytes) => sum + Number(bytes), table + tombstones * (await meanTombstone(redis, tag)));
    return { used, tombstones, tombstoneBytes: theirs / Math.max(1, tombstones), rest: used - theirs };
  });
}
