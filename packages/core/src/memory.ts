import type { SessionRecord } from './session.ts';

/** How long a write is kept in mind, in ms: what Redis loses in a failover is younger by far. */
const MEMORY_MS = 60_000;

type Witness = Pick<SessionRecord, 'uuid' | 'rev' | 'n'>;

const NOTHING: Witness = { uuid: '', rev: 0, n: 0 };

/**
 * What a process remembers of a shard. Its last acknowledged write: a Redis that comes back with older data lacks its
 * newest writes, so if this one is there, all that came before it is. And what the shard's clock said, and when, so
 * that a heartbeat can carry the time at which it was sent.
 */
export class ShardMemory {
  readonly #elapsed: () => number;
  #written: Witness = NOTHING;
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
    this.#written = NOTHING;
  }

  get witness(): Witness {
    return this.#elapsed() - this.#writtenAt < MEMORY_MS ? this.#written : NOTHING;
  }

  /** The shard's clock as it should be now, in ms; 0 before it was first heard. */
  get now(): number {
    return this.#clock === null ? 0 : Math.floor(this.#clock + this.#elapsed());
  }

  heard(now: number): void {
    this.#clock = now - this.#elapsed();
  }
}
