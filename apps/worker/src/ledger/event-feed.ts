import type { LiveReading } from '@sandman/core';
import { type LedgerWrite, sessionOf } from '@sandman/ledger';
import type { RoundEnd } from '@sandman/lifecycle';
import type { EventGroup, RedisSessionStore, TakenEvent } from '@sandman/store';
import type { RetryingLedger } from './retrying-ledger.ts';

/** Events taken at once; one transaction writes them and their sessions. */
const PAGE = 250;

/** Writes the changes of one shard to the ledger, in batches. */
export class EventFeed {
  readonly #shard: number;
  readonly #group: EventGroup;
  readonly #store: RedisSessionStore;
  readonly #ledger: RetryingLedger;
  /** Events taken and not written yet. */
  #batch: readonly TakenEvent[] = [];

  constructor(shard: number, group: EventGroup, store: RedisSessionStore, access: RetryingLedger) {
    this.#shard = shard;
    this.#group = group;
    this.#store = store;
    this.#ledger = access;
  }

  /**
   * Writes the next batch of events.
   *
   * An event only says that something changed; the row is made from the current record, so the order and the number of events do
   * not matter. Events are acknowledged after the write: if the worker dies before, they are delivered again.
   *
   * @returns that it is to be called again at once, if there may be more
   */
  async writeNext(): Promise<RoundEnd> {
    if (!this.#ledger.isTryDue) return;
    if (this.#batch.length === 0) this.#batch = await this.#group.take(PAGE);
    const batch = this.#batch;
    if (batch.length === 0) return;
    // Each try reads the records again, so that a write after an outage has the state after it.
    const uuids = [...new Set(batch.map(({ uuid }) => uuid))];
    const readings = await Promise.all(uuids.map((uuid) => this.#store.read(uuid)));
    const known = readings.filter((reading): reading is LiveReading => reading.record !== null);
    const entries: LedgerWrite = {
      sessions: known.map(sessionOf),
      events: batch.map(({ id, ...event }) => ({ ...event, id: `${this.#shard}-${id}` })),
      // A tombstone is kept for 24 h. After a longer outage the record is gone, and the event is all that is known of the session.
      withoutRecord: new Set(uuids.filter((_, i) => readings[i]!.record === null)),
    };
    if (!(await this.#ledger.attempt((ledger) => ledger.write(entries)))) return;
    await this.#group.done(...batch);
    this.#batch = [];
    return batch.length < PAGE ? undefined : { again: 0 };
  }
}
