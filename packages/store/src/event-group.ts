import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';
import { decodeEvent, type SessionChange } from './redis-journal.ts';

const ABANDONED_MS = 30_000;
/** How often what was abandoned is looked for, in ms. */
const RECLAIM_EVERY_MS = 10_000;
/** After this a reader that holds nothing is forgotten, in ms: its process is gone. */
const FORGET_MS = 3_600_000;

type Entry = readonly [id: string, flat: string[] | null];

/** An event that is this process's until it is done. */
export interface TakenEvent extends SessionChange {
  readonly shard: number;
  /** Its place in the shard's stream; it never repeats. */
  readonly id: string;
}

export interface EventGroupOptions {
  readonly prefix: string;
  readonly shards: number;
  /** What the readers have in common, and what tells this one from the others. */
  readonly group: string;
  readonly reader: string;
  /** What a process took and did not finish within this is given to another, in ms. */
  readonly abandoned?: number;
}

/** The changes of all shards, shared out among the readers of a group: each is some reader's at least once. */
export class EventGroup {
  readonly #redis: Redis | Cluster;
  readonly #streams: readonly string[];
  readonly #group: string;
  readonly #reader: string;
  readonly #abandoned: number;
  #reclaimedAt = 0;

  constructor(redis: Redis | Cluster, { prefix, shards, group, reader, abandoned = ABANDONED_MS }: EventGroupOptions) {
    this.#redis = redis;
    this.#streams = new Keyspace(prefix, shards).shards.map(({ events }) => events);
    this.#group = group;
    this.#reader = reader;
    this.#abandoned = abandoned;
  }

  /** Begins the group with what happens from now on, where there is none yet. */
  async join(): Promise<void> {
    const begin = (stream: string) =>
      this.#redis.xgroup('CREATE', stream, this.#group, '$', 'MKSTREAM').catch((error: Error) => {
        if (!error.message.startsWith('BUSYGROUP')) throw error;
      });
    await Promise.all(this.#streams.map(begin));
  }

  /**
   * The next events, and now and then those that another reader took and never finished.
   *
   * @param limit of each shard
   * @throws where the group is gone: then one joins again
   */
  async take(limit: number): Promise<TakenEvent[]> {
    const now = performance.now();
    const reclaim = this.#reclaimedAt === 0 || now - this.#reclaimedAt > RECLAIM_EVERY_MS;
    if (reclaim) this.#reclaimedAt = now;
    const taken = await Promise.all(
      this.#streams.map(async (stream, shard) => {
        const entries = [...(reclaim ? await this.#left(stream, limit) : []), ...(await this.#fresh(stream, limit))];
        // One that the stream's cap took away has no fields any more.
        return entries.flatMap(([id, flat]) => (flat ? { ...decodeEvent(flat), shard, id } : []));
      }),
    );
    return taken.flat();
  }

  async done({ shard, id }: TakenEvent): Promise<void> {
    await this.#redis.xack(this.#streams[shard]!, this.#group, id);
  }

  async #fresh(stream: string, limit: number): Promise<Entry[]> {
    const reply = await this.#redis.xreadgroup('GROUP', this.#group, this.#reader, 'COUNT', limit, 'STREAMS', stream, '>');
    return ((reply as [string, Entry[]][] | null) ?? []).flatMap(([, entries]) => entries);
  }

  async #left(stream: string, limit: number): Promise<Entry[]> {
    const reply = await this.#redis.xautoclaim(stream, this.#group, this.#reader, this.#abandoned, '0', 'COUNT', limit);
    await this.#forget(stream);
    return (reply as [string, Entry[]])[1];
  }

  async #forget(stream: string): Promise<void> {
    const readers = (await this.#redis.xinfo('CONSUMERS', stream, this.#group)) as (string | number)[][];
    for (const flat of readers) {
      const of = (field: string) => flat[flat.indexOf(field) + 1]!;
      if (of('pending') === 0 && Number(of('idle')) > FORGET_MS) {
        await this.#redis.xgroup('DELCONSUMER', stream, this.#group, of('name') as string);
      }
    }
  }
}
