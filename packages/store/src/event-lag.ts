import type { Cluster, Redis } from 'ioredis';
import { ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const countEvents = loadScript('count-events');

/** Events counted in one script, which blocks Redis for 1 to 2 ms. */
const PAGE = 2_000;

export interface EventLag {
  /** Events that no reader of the group has acknowledged. */
  readonly events: number;
  /** Age of the oldest of these events, in ms; 0 where there is none. */
  readonly age: number;
}

async function behindInShard(redis: Redis | Cluster, stream: string, name: string): Promise<EventLag> {
  const groups = (await redis.xinfo('GROUPS', stream).catch((error: Error) => {
    // The shard has had no event yet.
    if (/no such key/i.test(error.message)) return [];
    throw error;
  })) as (string | number)[][];
  const group = groups.map((flat) => (field: string) => flat[flat.indexOf(field) + 1]!).find((of) => of('name') === name);
  let events = Number(group?.('pending') ?? 0);
  const [pending] = events > 0 ? ((await redis.xpending(stream, name, '-', '+', 1)) as [id: string][]) : [];
  let oldest = pending?.[0] ?? '';
  let clock = 0;
  // Redis 6.2 does not report how far a group is behind, and later versions do not always.
  for (let after = String(group?.('last-delivered-id') ?? '0-0'); ; ) {
    const [now, count, first, last] = (await countEvents(redis, [stream], [after, PAGE])) as [number, number, string, string];
    oldest ||= first;
    events += count;
    clock = now;
    if (count < PAGE) break;
    after = last;
  }
  return { events, age: oldest ? Math.max(0, clock - Number(oldest.split('-', 1)[0])) : 0 };
}

/** Tells how far a group is behind the events of all shards. A group that does not exist yet is behind all events. */
export async function eventLag(
  redis: Redis | Cluster,
  { prefix, shards, group }: { readonly prefix: string; readonly shards: number; readonly group: string },
): Promise<EventLag> {
  const streams = Array.from({ length: shards }, (_, shard) => new ShardKeys(prefix, shard).events);
  const all = await Promise.all(streams.map((stream) => behindInShard(redis, stream, group)));
  return { events: all.reduce((sum, { events }) => sum + events, 0), age: Math.max(...all.map(({ age }) => age)) };
}
