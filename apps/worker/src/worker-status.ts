import { hostname } from 'node:os';
import { repeat, type System } from '@sandman/lifecycle';
import { REPORT_MS, type RedisJournal, type RedisPodSamples, type RedisWorkerRegistry, SAMPLE_MS } from '@sandman/store';

/** How often a worker offers a sample, in ms: four times per period. Only the first one of all workers is kept. */
const SAMPLE_EVERY_MS = SAMPLE_MS / 4;

export interface WorkerStatusOptions {
  readonly registry: RedisWorkerRegistry;
  readonly podSamples: RedisPodSamples;
  readonly journal: RedisJournal;
  readonly system: System;
  /** By how much this machine's clock is ahead of Redis', in ms. */
  readonly clockAhead: () => number;
  readonly failed: (error: unknown) => void;
}

/** Reports to operators through Redis: that this worker is alive, its trouble and repairs, and samples of the number of pods. */
export class WorkerStatus {
  readonly #options: WorkerStatusOptions;
  readonly #id: string;
  readonly #startedAt: number;
  readonly #rounds: readonly (() => Promise<void>)[];
  #trouble: string | null = null;
  #troubleSince = 0;
  #sweptAt: number | null = null;

  constructor(options: WorkerStatusOptions) {
    const { podSamples, journal, system, failed } = options;
    this.#options = options;
    this.#id = system.newId();
    this.#startedAt = system.elapsed();
    this.#rounds = [
      repeat(system, REPORT_MS, () => this.#report(), failed),
      repeat(system, SAMPLE_EVERY_MS, async () => podSamples.sample((await journal.usage()).values()), failed),
    ];
  }

  /** @param trouble why this worker makes no calls; null: the trouble is over */
  setTrouble(trouble: string | null): void {
    this.#trouble = trouble;
    this.#troubleSince = this.#options.system.elapsed();
    this.#report().catch(this.#options.failed);
  }

  noteSweep(): void {
    this.#sweptAt = this.#options.system.elapsed();
  }

  noteRepair(kind: string, uuid: string, count?: number): void {
    this.#options.registry.repaired(kind, uuid, count).catch(this.#options.failed);
  }

  async #report(): Promise<void> {
    const now = this.#options.system.elapsed();
    const since = (at: number) => Math.round(now - at);
    await this.#options.registry.report({
      id: this.#id,
      host: hostname(),
      pid: process.pid,
      upFor: since(this.#startedAt),
      trouble: this.#trouble,
      troubleFor: this.#trouble ? since(this.#troubleSince) : 0,
      sweptAgo: this.#sweptAt === null ? null : since(this.#sweptAt),
      clockAhead: this.#options.clockAhead(),
    });
  }

  /** Removes this worker from the registry, after the reports in progress. */
  async close(): Promise<void> {
    await Promise.all(this.#rounds.map((stop) => stop()));
    await this.#options.registry.signOff(this.#id);
  }
}
