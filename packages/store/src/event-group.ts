import type { Cluster, Redis } from 'ioredis';
import { ShardKeys } from './keys.ts';
import { decodeEvent, type SessionChange } from './redis-journal.ts';

const ABANDONED_MS = 30_000;
/** How often a reader looks for abandoned events, in ms. */
const RECLAIM_EVERY_MS = 10_000;
/** A reader without pending events is removed after this idle time, in ms: its process has ended. */
const FORGET_MS = 3_600_000;
/** How many trimmed events are acknowledged at once. */
const FORGONE = 1_000;

type Entry = readonly [id: string, flat: string[] | null];

/** An event that is assigned to this process until it is acknowledged. */
export interface TakenEvent extends SessionChange {
  /** Its id in the shard's stream; unique there. */
  readonly id: string;
}

export interface EventGroupOptions {
  readonly prefix: string;
  readonly shard: number;
  /** Name of the consumer group; all its readers use the same. */
  readonly group: string;
  readonly reader: string;
  /** An event that was taken and not acknowledged within this time is given to another reader, in ms; by default 30 s. */
  readonly abandoned?: number;
  /** Whether a new group begins with all events that the stream still holds; else it begins with later ones. */
  readonly fromStart?: boolean;
}

/** Shares out the changes of one shard among the readers of a consumer group: each change goes to one reader, at least once. */
export class EventGroup {
  readonly #redis: Redis | Cluster;
  readonly #stream: string;
  readonly #group: string;
  readonly #reader: string;
  readonly #abandoned: number;
  /** Id of the last event received; before the first one, the id after which a new group begins. */
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
   * Takes the next events, and every 10 s those that another reader took and never acknowledged. Creates the group if needed.
   *
   * @param limit 1 or more
   * @throws Error where Redis has lost the group; the next call creates it again, from the last event received on
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
    // A trimmed event comes as null (Redis 6.2) or without fields. Redis 7 leaves it out.
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

  /** Acknowledges trimmed events: Redis 6.2 keeps them pending, and one of them would stay the oldest pending event for ever. */
  async #forgo(): Promise<void> {
    const [first] = await this.#redis.xrange(this.#stream, '-', '+', 'COUNT', 1);
    // In an empty stream an event that is just being added could not be told from a trimmed one.
    if (!first) return;
    const lost = (await this.#redis.xpending(this.#stream, this.#group, '-', `(${first[0]}`, FORGONE)) as [id: string][];
    if (lost.length > 0) await this.#redis.xack(this.#stream, this.#group, ...lost.map(([id]) => id));
  }
}
