import { InvalidInput, STATUSES } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const shardsScript = loadScript('shards');
const clocked = loadScript('clocked');

/** The most that any version allowed. */
const MOST_SHARDS = 1_024;
/** A process that said its number so recently, in ms, may be running still. */
const RECENT_MS = 10_000;

/** Whether a shard holds sessions, deleted ones included, or an API of 0.1.0 has beaten there just now. */
async function isInUse(redis: Redis | Cluster, keys: ShardKeys): Promise<boolean> {
  const sizes = await Promise.all(STATUSES.map((status) => redis.zcard(keys.status(status))));
  if (sizes.some((size) => size > 0)) return true;
  const [now, flat] = (await clocked(redis, [keys.ingest], [])) as [number, string[]];
  return flat.includes('beat') && now - Number(flat[flat.indexOf('beat') + 1]) < RECENT_MS;
}

/** The number of shards of data that 0.1.0 wrote, which no key tells: each shard had a heartbeat. 0: there is no data. */
async function numberOfOldData(redis: Redis | Cluster, prefix: string): Promise<number> {
  const { shards } = new Keyspace(prefix, MOST_SHARDS);
  const found = await Promise.all(shards.map(({ ingest }) => redis.exists(ingest)));
  return found.lastIndexOf(1) + 1;
}

/**
 * Makes sure that all processes spread the sessions over the same number of shards: the number that the data in Redis was
 * written with, or the first one given where there is no data. A process calls it again and again while it runs.
 *
 * @param shards the number that this process was given
 * @throws InvalidInput that tells the number in force, where that is another
 */
export async function agreeOnShards(redis: Redis | Cluster, prefix: string, shards: number): Promise<void> {
  const [first] = new Keyspace(prefix, 1).shards;
  const key = first!.shards;
  const agree = (given: number, replaces: 0 | 1) => shardsScript(redis, [key], [given, replaces, RECENT_MS]) as Promise<number>;
  const isNew = (await redis.exists(key)) === 0;
  let inForce = await agree(isNew ? (await numberOfOldData(redis, prefix)) || shards : shards, 0);
  if (inForce !== shards) {
    const used = await Promise.all(new Keyspace(prefix, inForce).shards.map((keys) => isInUse(redis, keys)));
    if (!used.includes(true)) inForce = await agree(shards, 1);
  }
  if (inForce !== shards) throw new InvalidInput('SHARDS', `is ${shards} and must be ${inForce}: the data in Redis was written with that`);
}
