import { InvalidInput, STATUSES } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { INTAKE_FIELDS } from './record.ts';
import { loadScript } from './script.ts';

const shardsScript = loadScript('agree-on-shards');
const hashWithTime = loadScript('hash-with-time');

/** The most that any version allowed. */
const MOST_SHARDS = 1_024;
/** A process that announced its number within this time, in ms, may still be running. */
const RECENT_MS = 10_000;

/** Tells whether a shard has sessions, deleted ones included, or a recent heartbeat: APIs of release 0.1.0 announce no number. */
async function isInUse(redis: Redis | Cluster, keys: ShardKeys): Promise<boolean> {
  const sizes = await Promise.all(STATUSES.map((status) => redis.zcard(keys.status(status))));
  if (sizes.some((size) => size > 0)) return true;
  const [now, flat] = (await hashWithTime(redis, [keys.intake], [])) as [number, string[]];
  const at = flat.indexOf(INTAKE_FIELDS.lastHeartbeat);
  return at >= 0 && now - Number(flat[at + 1]) < RECENT_MS;
}

/** Finds the number of shards of data that release 0.1.0 wrote, from the heartbeats: it wrote no key for it. 0: no data. */
async function numberOfOldData(redis: Redis | Cluster, prefix: string): Promise<number> {
  const { shards } = new Keyspace(prefix, MOST_SHARDS);
  const found = await Promise.all(shards.map(({ intake }) => redis.exists(intake)));
  return found.lastIndexOf(1) + 1;
}

/**
 * Makes sure that all processes spread the sessions over the same number of shards: the number that the data in Redis was
 * written with, or the first one announced where there is no data. A process calls this periodically while it runs.
 *
 * @param shards the `SHARDS` of this process
 * @throws InvalidInput that names the number in force, where that is another
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
