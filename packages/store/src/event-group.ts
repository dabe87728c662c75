import type { Cluster, Redis } from 'ioredis';
import { ShardKeys } from './keys.ts';
import { decodeEvent, type SessionChange } from './redis-journal.ts';

const ABANDONED_MS = 30_000;
/** How often what was abandoned is looked for, in ms. */
const RECLAIM_EVERY_MS = 10_000;
/** After this a reader that holds nothing is forgotten, in ms: its process is gone. */
const FORGET_MS = 3_600_000;
/** How many of those that the cap took away are given up at once. */
const FORGONE = 1_000;

type Entry = readonly [id: string, flat: string[] | null];

/** An event that is this process's until it is done. */
export interface TakenEvent extends SessionChange {
  /** Its place in the shard's stream; it never repeats. */
  readonly id: string;
}

export interface EventGroupOptions {
  readonly prefix: string;
  readonly shard: number;
  /** What the readers have in common, and what tells this one from the others. */
  readonly group: string;
  readonly reader: string;
  /** What a process took and did not finish within this is given to another, in ms. */
  readonly abandoned?: number;
  /** Whether a group that is new begins with all that the stream still holds; else with what happens from then on. */
  readonly fromStart?: boolean;
}

/** The changes of one shard, shared out among the readers of a group: each is some reader's at least once. */
export class EventGroup {
  readonly #redis: Redis | Cluster;
  readonly #stream: string;
  readonly #group: string;
  readonly #reader: string;
  readonly #abandoned: number;
  /** The last event that came; before the first one, where a new group begins. */
  #last: string;
  #joined = false;
  #reclaimedAt = Number.NEGATIVE_INFINITY;

  constructor(redis: Redis | Cluster, options: EventGroupOptions) {
    const { prefix, shard, group, reader, abandoned = ABANDONED_MS, fromStart = false } = options;
    this.#last = fromStart ? '0' : '$';
    this.#redis = redis;
    this.#stream = new ShardKeys(prefix, shard).events;
    this.#group = group;
    this.#reader = reader;
    this.#abandoned = abandoned;
  }

  /**
   * The next events, and now and then those that another reader took and never finished. Begins the group where there is none.
   *
   * @param limit 1 or more
   * @throws where Redis has forgotten the group: the next time it begins anew, with what came after the last event
   */
  async take(limit: number): Promise<TakenEvent[]> {
    if (!this.#joined) await this.#join();
    this.#joined = true;
    try {
      const entries = [...(await this.#left(limit)), ...(await this.#fresh(limit))];
      return entries.map(([id, flat]) => ({ ...decodeEvent(flat!), id }));
    } catch (error) {
      this.#joined = false;
      throw error;
    }
  }

  async done(...events: readonly TakenEvent[]): Promise<void> {
    await this.#redis.xack(this.#stream, this.#group, ...events.map(({ id }) => id));
  }

  async #join(): Promise<void> {
    await this.#redis.xgroup('CREATE', this.#stream, this.#group, this.#last, 'MKSTREAM').catch((error: Error) => {
      if (!error.message.startsWith('BUSYGROUP')) throw error;
    });
  }

  async #fresh(limit: number): Promise<Entry[]> {
    const reply = await this.#redis.xreadgroup('GROUP', this.#group, this.#reader, 'COUNT', limit, 'STREAMS', this.#stream, '>');
    const entries = ((reply as [string, Entry[]][] | null) ?? []).flatMap(([, some]) => some);
    this.#last = entries.at(-1)?.[0] ?? this.#last;
    return entries;
  }

  async #left(limit: number): Promise<Entry[]> {
    const now = performance.now();
    if (now - this.#reclaimedAt < RECLAIM_EVERY_MS) return [];
    this.#reclaimedAt = now;
    const reply = await this.#redis.xautoclaim(this.#stream, this.#group, this.#reader, this.#abandoned, '0', 'COUNT', limit);
    await this.#forget();
    await this.#forgo();
    // What the stream's cap took away comes without fields, or, from Redis 6.2, as nothing at all.
    return (reply as [string, (Entry | null)[]])[1].filter((entry): entry is Entry => Boolean(entry?.[1]));
  }

  async #forget(): Promise<void> {
    const readers = (await this.#redis.xinfo('CONSUMERS', this.#stream, this.#group)) as (string | number)[][];
    for (const flat of readers) {
      const of = (field: string) => flat[flat.indexOf(field) + 1]!;
      if (of('pending') === 0 && Number(of('idle')) > FORGET_MS) {
        await this.#redis.xgroup('DELCONSUMER', this.#stream, this.#group, of('name') as string);
      }
    }
  }

  /** Redis 6.2 keeps what the stream's cap took away among what is not done: it would be the oldest there for ever. */
  async #forgo(): Promise<void> {
    const [first] = await this.#redis.xrange(this.#stream, '-', '+', 'COUNT', 1);
    // With nothing to go by, what is added just now would be taken for lost.
    if (!first) return;
    const lost = (await this.#redis.xpending(this.#stream, this.#group, '-', `(${first[0]}`, FORGONE)) as [id: string][];
    if (lost.length > 0) await this.#redis.xack(this.#stream, this.#group, ...lost.map(([id]) => id));
  }
}
