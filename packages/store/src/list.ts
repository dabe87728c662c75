import { type Filter, InvalidInput, LIVE_STATUSES, type LiveReading, type Page, type Reading, statusOf } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import type { Keyspace, ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const page = loadScript('page');

function indexes(keys: ShardKeys, { userId, status }: Filter): string[] {
  if (userId !== undefined) return [keys.owned(userId, status === 'deleted')];
  return (status ? [status] : LIVE_STATUSES).map((one) => keys.status(one));
}

function fits({ record }: Reading, { userId, status }: Filter): boolean {
  if (!record || (userId !== undefined && record.userId !== userId)) return false;
  const shown = statusOf(record);
  return status ? shown === status : shown !== 'deleted';
}

/** Up to `limit` uuids of one shard, in order, after `last` ('': from the first). */
export async function pageOf(redis: Redis | Cluster, keys: ShardKeys, filter: Filter, last: string, limit: number): Promise<string[]> {
  return (await page(redis, indexes(keys, filter), [last ? `(${last}` : '-', limit])) as string[];
}

/** A place in a list: a shard, and the last uuid given from it. */
interface Position {
  readonly shard: number;
  readonly after: string;
}

function decodeCursor(cursor: string | null, shards: number): Position {
  if (cursor === null) return { shard: 0, after: '' };
  const match = /^(\d{1,4}):([A-Za-z0-9_-]{0,64})$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (!match || Number(match[1]) >= shards) throw new InvalidInput('cursor', 'must be the nextCursor of an earlier answer');
  return { shard: Number(match[1]), after: match[2]! };
}

function encodeCursor({ shard, after }: Position): string {
  return Buffer.from(`${shard}:${after}`).toString('base64url');
}

/** Up to `limit` sessions in the order of shard and uuid, from `cursor` on, among the next `most` that may fit. */
export async function listPage(
  redis: Redis | Cluster,
  keyspace: Keyspace,
  read: (uuid: string) => Promise<Reading>,
  filter: Filter,
  limit: number,
  cursor: string | null,
  most: number,
): Promise<Page> {
  const items: LiveReading[] = [];
  let looked = 0;
  let position = decodeCursor(cursor, keyspace.shards.length);
  for (;;) {
    const wanted = limit - items.length;
    const keys = keyspace.shards[position.shard]!;
    const uuids = await pageOf(redis, keys, filter, position.after, wanted);
    const readings = await Promise.all(uuids.map(read));
    looked += uuids.length;
    items.push(...readings.filter((reading): reading is LiveReading => fits(reading, filter)));
    if (uuids.length === wanted) position = { ...position, after: uuids.at(-1)! };
    else if (position.shard + 1 < keyspace.shards.length) position = { shard: position.shard + 1, after: '' };
    else return { items, cursor: null };
    if (items.length === limit || looked >= most) return { items, cursor: encodeCursor(position) };
  }
}
