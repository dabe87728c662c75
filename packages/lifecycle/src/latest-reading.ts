import type { Commit, CommitResult, Reading, SessionRecord, SessionStore } from '@sandman/core';
import type { System } from './system.ts';

export interface ReadingPorts {
  readonly store: SessionStore;
  readonly system: System;
}

/** One session's record as it was last read or written, and the time of Redis' clock since then. */
export class LatestReading {
  record: SessionRecord | null = null;
  /** When the record was read or written, in ms of Redis' clock. */
  readAt = 0;
  readonly #uuid: string;
  readonly #ports: ReadingPorts;
  #askedAt = 0;
  #answeredAt = 0;

  constructor(uuid: string, ports: ReadingPorts) {
    this.#uuid = uuid;
    this.#ports = ports;
  }

  async read(): Promise<void> {
    const { store, system } = this.#ports;
    const askedAt = system.elapsed();
    this.take(await store.read(this.#uuid), askedAt);
  }

  /** Writes a commit on the record. After a conflict the record is as another process has written it. */
  async commit(commit: Commit): Promise<CommitResult> {
    const { store, system } = this.#ports;
    const askedAt = system.elapsed();
    const result = await store.commit(this.#uuid, this.record, commit);
    this.take(result, askedAt);
    return result;
  }

  /** Takes a reading that has just come. @param askedAt when it was asked for, by `system.elapsed()` */
  take({ record, now }: Reading, askedAt: number): void {
    this.record = record;
    this.readAt = now;
    this.#askedAt = askedAt;
    this.#answeredAt = this.#ports.system.elapsed();
  }

  /** Returns the time of Redis' clock, in ms, never ahead of it. */
  now(): number {
    return this.readAt + Math.floor(this.#ports.system.elapsed() - this.#answeredAt);
  }

  /** Returns the time of Redis' clock, in ms, never behind it: events of the past lie before it. */
  lateNow(): number {
    return this.readAt + Math.ceil(this.#ports.system.elapsed() - this.#askedAt);
  }
}
