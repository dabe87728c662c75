import { hostname } from 'node:os';
import { repeat, type Surroundings } from '@sandman/lifecycle';
import { REPORT_MS, type RedisJournal, type RedisRoster, type RedisTrend, SAMPLE_MS } from '@sandman/store';

/** How often a worker offers a sample, in ms: four times per period. Only the first one of all workers is kept. */
const SAMPLE_EVERY_MS = SAMPLE_MS / 4;

export interface ReportsOptions {
  readonly roster: RedisRoster;
  readonly trend: RedisTrend;
  readonly journal: RedisJournal;
  readonly surroundings: Surroundings;
  /** By how much this machine's clock is ahead of Redis', in ms. */
  readonly clockAhead: () => number;
  readonly failed: (error: unknown) => void;
}

/** Reports to operators through Redis: that this worker is alive, its trouble and repairs, and samples of the number of pods. */
export class Reports {
  readonly #on: ReportsOptions;
  readonly #id: string;
  readonly #startedAt: number;
  readonly #rounds: readonly (() => Promise<void>)[];
  #trouble: string | null = null;
  #troubleSince = 0;
  #sweptAt: number | null = null;

  constructor(options: ReportsOptions) {
    const { trend, journal, surroundings, failed } = options;
    this.#on = options;
    this.#id = surroundings.id();
    this.#startedAt = surroundings.elapsed();
    this.#rounds = [
      repeat(surroundings, REPORT_MS, () => this.#report(), failed),
      repeat(surroundings, SAMPLE_EVERY_MS, async () => trend.sample((await journal.books()).values()), failed),
    ];
  }

  /** @param trouble why this worker makes no calls; null: the trouble is over */
  trouble(trouble: string | null): void {
    this.#trouble = trouble;
    this.#troubleSince = this.#on.surroundings.elapsed();
    this.#report().catch(this.#on.failed);
  }

  swept(): void {
    this.#sweptAt = this.#on.surroundings.elapsed();
  }

  repaired(kind: string, uuid: string, count?: number): void {
    this.#on.roster.repaired(kind, uuid, count).catch(this.#on.failed);
  }

  async #report(): Promise<void> {
    const now = this.#on.surroundings.elapsed();
    const since = (at: number) => Math.round(now - at);
    await this.#on.roster.report({
      id: this.#id,
      host: hostname(),
      pid: process.pid,
      upFor: since(this.#startedAt),
      trouble: this.#trouble,
      troubleFor: this.#trouble ? since(this.#troubleSince) : 0,
      sweptAgo: this.#sweptAt === null ? null : since(this.#sweptAt),
      clockAhead: this.#on.clockAhead(),
    });
  }

  /** Removes this worker from the registry, after the reports in progress. */
  async close(): Promise<void> {
    await Promise.all(this.#rounds.map((stop) => stop()));
    await this.#on.roster.signOff(this.#id);
  }
}
