import type { LiveReading } from '@sandman/core';
import { sessionOf } from '@sandman/ledger';
import type { EventGroup, RedisSessionStore, TakenEvent } from '@sandman/store';
import type { Access } from './access.ts';

/** Events taken at once; one transaction writes them and their sessions. */
const PAGE = 250;

/** Writes the changes of one shard to the ledger, in batches. */
export class Feed {
  readonly #shard: number;
  readonly #group: EventGroup;
  readonly #store: RedisSessionStore;
  readonly #access: Access;
  /** Events taken and not written yet. */
  #batch: readonly TakenEvent[] = [];

  constructor(shard: number, group: EventGroup, store: RedisSessionStore, access: Access) {
    this.#shard = shard;
    this.#group = group;
    this.#store = store;
    this.#access = access;
  }

  /**
   * Writes the next batch of events.
   *
   * An event only says that something changed; the row is made from the current record, so the order and the number of events do
   * not matter. Events are acknowledged after the write: if the worker dies before, they are delivered again.
   *
   * @returns 0 if there may be more: call it again at once; else undefined
   */
  async pass(): Promise<number | undefined> {
    if (!this.#access.open) return;
    if (this.#batch.length === 0) this.#batch = await this.#group.take(PAGE);
    const batch = this.#batch;
    if (batch.length === 0) return;
    // Each try reads the records again, so that a write after an outage has the state after it.
    const uuids = [...new Set(batch.map(({ uuid }) => uuid))];
    const readings = await Promise.all(uuids.map((uuid) => this.#store.read(uuid)));
    const known = readings.filter((reading): reading is LiveReading => reading.record !== null);
    const entries = {
      sessions: known.map(sessionOf),
      events: batch.map(({ id, ...event }) => ({ ...event, id: `${this.#shard}-${id}` })),
      // A tombstone is kept for 24 h. After a longer outage the record is gone, and the event is all that is known of the session.
      departed: new Set(uuids.filter((_, i) => readings[i]!.record === null)),
    };
    if (!(await this.#access.use((ledger) => ledger.write(entries)))) return;
    await this.#group.done(...batch);
    this.#batch = [];
    return batch.length < PAGE ? undefined : 0;
  }
}
