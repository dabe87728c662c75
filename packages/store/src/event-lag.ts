import type { Cluster, Redis } from 'ioredis';
import { ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const span = loadScript('span');

/** Events counted in one script: Redis serves nobody else for a millisecond or two. */
const PAGE = 2_000;

export interface Behind {
  /** Events that no reader of the group has finished. */
  readonly events: number;
  /** Age of the oldest of them, in ms; 0 where there is none. */
  readonly age: number;
}

async function behindInShard(redis: Redis | Cluster, stream: string, name: string): Promise<Behind> {
  const groups = (await redis.xinfo('GROUPS', stream).catch((error: Error) => {
    // Nothing has ever happened there.
    if (/no such key/i.test(error.message)) return [];
    throw error;
  })) as (string | number)[][];
  const group = groups.map((flat) => (field: string) => flat[flat.indexOf(field) + 1]!).find((of) => of('name') === name);
  let events = Number(group?.('pending') ?? 0);
  const [pending] = events > 0 ? ((await redis.xpending(stream, name, '-', '+', 1)) as [id: string][]) : [];
  let oldest = pending?.[0] ?? '';
  let clock = 0;
  // Redis 6.2 does not say how far a group is behind, and later ones not always.
  for (let after = String(group?.('last-delivered-id') ?? '0-0'); ; ) {
    const [now, count, first, last] = (await span(redis, [stream], [after, PAGE])) as [number, number, string, string];
    oldest ||= first;
    events += count;
    clock = now;
    if (count < PAGE) break;
    after = last;
  }
  return { events, age: oldest ? Math.max(0, clock - Number(oldest.split('-', 1)[0])) : 0 };
}

/** How far a group is behind the events of all shards. Where there is no such group yet, it is behind all of them. */
export async function behind(
  redis: Redis | Cluster,
  { prefix, shards, group }: { readonly prefix: string; readonly shards: number; readonly group: string },
): Promise<Behind> {
  const streams = Array.from({ length: shards }, (_, shard) => new ShardKeys(prefix, shard).events);
  const all = await Promise.all(streams.map((stream) => behindInShard(redis, stream, group)));
  return { events: all.reduce((sum, { events }) => sum + events, 0), age: Math.max(...all.map(({ age }) => age)) };
}
