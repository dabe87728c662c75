import type { LiveReading } from '@sandman/core';
import { sessionOf } from '@sandman/ledger';
import type { EventGroup, RedisSessionStore, TakenEvent } from '@sandman/store';
import type { Access } from './access.ts';

/** Events taken at once: a transaction writes them and their sessions. */
const PAGE = 250;

/** Brings the changes of one shard into the ledger, in batches. */
export class Feed {
  readonly #shard: number;
  readonly #group: EventGroup;
  readonly #store: RedisSessionStore;
  readonly #access: Access;
  /** Taken and not written yet. */
  #batch: readonly TakenEvent[] = [];

  constructor(shard: number, group: EventGroup, store: RedisSessionStore, access: Access) {
    this.#shard = shard;
    this.#group = group;
    this.#store = store;
    this.#access = access;
  }

  /**
   * Writes what came. Answers in how many ms it should be called again, where there is more.
   *
   * An event says that something changed; the row is made of the record as it stands now. So neither the order of events
   * matters nor how often they come. Only once all is written are they done: whatever dies before, they come again.
   */
  async pass(): Promise<number | undefined> {
    if (!this.#access.open) return;
    if (this.#batch.length === 0) this.#batch = await this.#group.take(PAGE);
    const batch = this.#batch;
    if (batch.length === 0) return;
    // Read anew for each try: what is written after an outage is how it stands then.
    const uuids = [...new Set(batch.map(({ uuid }) => uuid))];
    const readings = await Promise.all(uuids.map((uuid) => this.#store.read(uuid)));
    const known = readings.filter((reading): reading is LiveReading => reading.record !== null);
    const entries = {
      sessions: known.map(sessionOf),
      events: batch.map(({ id, ...event }) => ({ ...event, id: `${this.#shard}-${id}` })),
      // A deleted session's record is kept for a day; after a longer outage only the events tell of it.
      departed: new Set(uuids.filter((_, i) => readings[i]!.record === null)),
    };
    if (!(await this.#access.use((ledger) => ledger.write(entries)))) return;
    await this.#group.done(...batch);
    this.#batch = [];
    return batch.length < PAGE ? undefined : 0;
  }
}
