import type { LiveReading } from '@sandman/core';
import type { Ledger } from '@sandman/ledger';
import { type RoundEnd, repeat } from '@sandman/lifecycle';
import { type Logger, system } from '@sandman/runtime';
import { EventGroup, eventLag, type RedisSessionStore } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import { EventFeed } from './event-feed.ts';
import { RetryingLedger } from './retrying-ledger.ts';
import { RowCorrector } from './row-corrector.ts';

const GROUP = 'ledger';
/** How often a worker reads new events and readings, in ms. */
const POLL_MS = 200;
/** After this long, another worker also takes a batch that is not acknowledged, in ms. A batch written twice does no harm. */
const ABANDONED_MS = 10_000;
const FORGET_EVERY_MS = 3_600_000;
/** Events removed in one statement, and the pause before the next one, in ms, so that other statements wait little for the locks. */
const DELETED_AT_ONCE = 1_000;
const DELETE_PAUSE_MS = 100;
/** How long `close` waits for writes in progress, in ms. What is cut off is not acknowledged, so another worker writes it again. */
const CLOSE_MS = 3_000;

export interface LedgerWriterOptions {
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
export class LedgerWriter {
  readonly #options: LedgerWriterOptions;
  readonly #ledger: RetryingLedger;
  readonly #rowCorrector: RowCorrector;
  readonly #rounds: readonly (() => Promise<void>)[];
  #closing = false;

  constructor(options: LedgerWriterOptions) {
    this.#options = options;
    const { ledger, redis, prefix, shards, store, logger } = options;
    this.#ledger = new RetryingLedger(ledger, system, logger);
    this.#rowCorrector = new RowCorrector(this.#ledger);
    const reader = system.newId();
    const failed = (err: unknown) => this.#closing || logger.warn({ err }, 'the ledger waits for Redis');
    // Each shard has its own loop, so that one that cannot be reached does not delay the others.
    const feeds = Array.from({ length: shards }, (_, shard) => {
      const group = new EventGroup(redis, { prefix, shard, group: GROUP, reader, fromStart: true, abandoned: ABANDONED_MS });
      return new EventFeed(shard, group, store, this.#ledger);
    });
    this.#rounds = [
      ...feeds.map((eventFeed) => repeat(system, POLL_MS, () => eventFeed.writeNext(), failed)),
      repeat(system, POLL_MS, () => this.#rowCorrector.correctNext(), failed),
      repeat(system, FORGET_EVERY_MS, () => this.#forget(), failed),
    ];
  }

  /** Queues records that the sweep has just read, to be compared with their rows. */
  visited(readings: readonly LiveReading[]): void {
    this.#rowCorrector.enqueue(readings);
  }

  /** Returns how far the ledger is behind: the number of events, and the age of the oldest in ms. */
  behind(): ReturnType<typeof eventLag> {
    const { redis, prefix, shards } = this.#options;
    return eventLag(redis, { prefix, shards, group: GROUP });
  }

  /** Removes events older than the retention. Several workers may do so at the same time. */
  async #forget(): Promise<RoundEnd> {
    const before = Date.now() - this.#options.retention;
    for (let removed = DELETED_AT_ONCE; removed === DELETED_AT_ONCE && !this.#closing; ) {
      const done = await this.#ledger.attempt(async (ledger) => {
        removed = await ledger.forget(before, DELETED_AT_ONCE);
      });
      // The database is away: try again in a minute and not in an hour.
      if (!done) return { again: FORGET_EVERY_MS / 60 };
      await system.pause(DELETE_PAUSE_MS);
    }
  }

  /** Stops reading, and waits up to 3 s for writes in progress. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.race([Promise.all(this.#rounds.map((stop) => stop())), system.pause(CLOSE_MS)]);
    await this.#ledger.close();
  }
}
