import type { LiveReading } from '@sandman/core';
import type { Ledger } from '@sandman/ledger';
import { repeat } from '@sandman/lifecycle';
import { type Logger, surroundings } from '@sandman/runtime';
import { behind, EventGroup, type RedisSessionStore } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import { Access } from './access.ts';
import { Corrections } from './corrections.ts';
import { Feed } from './feed.ts';

const GROUP = 'ledger';
/** How often a worker reads new events and readings, in ms. */
const LOOK_MS = 200;
/** After this long, another worker also takes a batch that is not acknowledged, in ms. A batch written twice does no harm. */
const ABANDONED_MS = 10_000;
const FORGET_EVERY_MS = 3_600_000;
/** Events removed in one statement, and the pause before the next one, in ms, so that other statements wait little for the locks. */
const FORGOTTEN = 1_000;
const BETWEEN_MS = 100;
/** How long `close` waits for writes in progress, in ms. What is cut off is not acknowledged, so another worker writes it again. */
const CLOSE_MS = 3_000;

export interface BookkeepingOptions {
  readonly ledger: Ledger;
  /** How long events are kept, in ms. */
  readonly retention: number;
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly store: RedisSessionStore;
  readonly logger: Logger;
}

/** Writes the ledger in the background: nothing else in the worker waits for it. */
export class Bookkeeping {
  readonly #on: BookkeepingOptions;
  readonly #access: Access;
  readonly #corrections: Corrections;
  readonly #rounds: readonly (() => Promise<void>)[];
  #closing = false;

  constructor(options: BookkeepingOptions) {
    this.#on = options;
    const { ledger, redis, prefix, shards, store, logger } = options;
    this.#access = new Access(ledger, surroundings, logger);
    this.#corrections = new Corrections(this.#access);
    const reader = surroundings.id();
    const failed = (err: unknown) => this.#closing || logger.warn({ err }, 'the ledger waits for Redis');
    // Each shard has its own loop, so that one that cannot be reached does not delay the others.
    const feeds = Array.from({ length: shards }, (_, shard) => {
      const group = new EventGroup(redis, { prefix, shard, group: GROUP, reader, fromStart: true, abandoned: ABANDONED_MS });
      return new Feed(shard, group, store, this.#access);
    });
    this.#rounds = [
      ...feeds.map((feed) => repeat(surroundings, LOOK_MS, () => feed.pass(), failed)),
      repeat(surroundings, LOOK_MS, () => this.#corrections.pass(), failed),
      repeat(surroundings, FORGET_EVERY_MS, () => this.#forget(), failed),
    ];
  }

  /** Queues records that the sweep has just read, to be compared with their rows. */
  visited(readings: readonly LiveReading[]): void {
    this.#corrections.show(readings);
  }

  /** Returns how far the ledger is behind: the number of events, and the age of the oldest in ms. */
  behind(): ReturnType<typeof behind> {
    const { redis, prefix, shards } = this.#on;
    return behind(redis, { prefix, shards, group: GROUP });
  }

  /** Removes events older than the retention. Several workers may do so at the same time. */
  async #forget(): Promise<number | undefined> {
    const before = Date.now() - this.#on.retention;
    for (let removed = FORGOTTEN; removed === FORGOTTEN && !this.#closing; ) {
      const done = await this.#access.use(async (ledger) => {
        removed = await ledger.forget(before, FORGOTTEN);
      });
      // The database is away: try again in a minute and not in an hour.
      if (!done) return FORGET_EVERY_MS / 60;
      await surroundings.pause(BETWEEN_MS);
    }
    return;
  }

  /** Stops reading, and waits up to 3 s for writes in progress. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.race([Promise.all(this.#rounds.map((stop) => stop())), surroundings.pause(CLOSE_MS)]);
    await this.#access.close();
  }
}
