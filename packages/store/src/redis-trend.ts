import type { Cluster, Redis } from 'ioredis';
import type { Book } from './books.ts';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const sample = loadScript('sample');

/** From one sample to the next, in ms. */
export const SAMPLE_MS = 60_000;
/** A week of them: about 400 kB in Redis. */
const SAMPLES_CAP = 10_080;

/** How the fleet stood at a time. All times in ms; what is cumulated never falls. */
export interface Sample {
  readonly at: number;
  /** Pods that are paid for. */
  readonly awake: number;
  readonly asleep: number;
  /** Pod time so far. */
  readonly awakeMs: number;
  /** Pod time so far, had nobody ever cleaned up. */
  readonly alwaysOnMs: number;
}

/** How many pods there were, minute by minute, for the last week. */
export class RedisTrend {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  /** Any worker may, as often as it likes: one sample a minute is kept. */
  async sample(books: Iterable<Book>): Promise<void> {
    const sum = { awake: 0, asleep: 0, awakeMs: 0, alwaysOnMs: 0 };
    for (const { awakePods, asleepPods, awake, alwaysOn } of books) {
      sum.awake += awakePods;
      sum.asleep += asleepPods;
      sum.awakeMs += awake;
      sum.alwaysOnMs += alwaysOn;
    }
    await sample(this.#redis, [this.#keys.trend], [SAMPLE_MS, SAMPLES_CAP, ...Object.entries(sum).flat()]);
  }

  /**
   * The samples of the last `span` ms, oldest first.
   *
   * @param points at most about so many: of a longer time every so-manieth, the same ones whenever one asks
   */
  async since(span: number, points: number): Promise<Sample[]> {
    const count = Math.ceil(span / SAMPLE_MS);
    const step = Math.ceil(count / points) * SAMPLE_MS;
    const entries = await this.#redis.xrevrange(this.#keys.trend, '+', '-', 'COUNT', count);
    const samples = entries.map(([id, [, awake, , asleep, , awakeMs, , alwaysOnMs]]) => ({
      at: Number(id.split('-', 1)[0]),
      awake: Number(awake),
      asleep: Number(asleep),
      awakeMs: Number(awakeMs),
      alwaysOnMs: Number(alwaysOnMs),
    }));
    const newest = samples[0]?.at ?? 0;
    return samples.filter(({ at }) => at === newest || at % step === 0).toReversed();
  }
}
