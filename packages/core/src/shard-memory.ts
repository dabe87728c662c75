import type { SessionRecord } from './session.ts';

/** How long a write is remembered, in ms. Writes that Redis loses in a failover are far younger. */
const REMEMBERED_MS = 60_000;

type Witness = Pick<SessionRecord, 'uuid' | 'rev' | 'n'>;

const NO_WITNESS: Witness = { uuid: '', rev: 0, n: 0 };

/**
 * Remembers two things about a shard for one process:
 *
 * - the witness, the last write that Redis acknowledged. A Redis that comes back with older data lacks its newest writes, so
 *   if the witness is there, all earlier writes are too.
 * - the shard's clock, so that a heartbeat can carry the time at which it was sent.
 */
export class ShardMemory {
  readonly #elapsed: () => number;
  #written: Witness = NO_WITNESS;
  #writtenAt = 0;
  #clock: number | null = null;

  /** @param elapsed monotonic ms */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  wrote(record: SessionRecord): void {
    this.#written = record;
    this.#writtenAt = this.#elapsed();
  }

  forget(): void {
    this.#written = NO_WITNESS;
  }

  get witness(): Witness {
    return this.#elapsed() - this.#writtenAt < REMEMBERED_MS ? this.#written : NO_WITNESS;
  }

  /** The estimated time of the shard's clock, in ms; 0 before the first answer from the shard. */
  get now(): number {
    return this.#clock === null ? 0 : Math.floor(this.#clock + this.#elapsed());
  }

  sawClock(now: number): void {
    this.#clock = now - this.#elapsed();
  }
}
