import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';
import type { Usage } from './usage-codec.ts';

const sample = loadScript('add-sample');

/** Interval between samples, in ms. */
export const SAMPLE_MS = 60_000;
/** How many samples are kept: a week's, about 400 kB in Redis. */
const SAMPLES_CAP = 10_080;
/** How many samples one command reads: Redis takes about 1.5 ms for them, and serves others in between. */
const SLICE = 1_000;

/** How many pods there were at a time, and the pod time until then. Times in ms; the sums never fall. */
export interface PodSample {
  readonly at: number;
  /** Pods that may be running, and are paid for. */
  readonly awake: number;
  readonly asleep: number;
  /** Time that pods were awake so far. */
  readonly awakeMs: number;
  /** Time that pods would have been awake so far without any sleep or delete. */
  readonly alwaysOnMs: number;
}

/** Keeps samples of the number of pods: one a minute, for the last week. */
export class RedisPodSamples {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  /** Writes a sample. Any worker may call it at any time: only the first sample of a minute is kept. */
  async sample(usage: Iterable<Usage>): Promise<void> {
    const sum = { awake: 0, asleep: 0, awakeMs: 0, alwaysOnMs: 0 };
    for (const { awakePods, asleepPods, awake, alwaysOn } of usage) {
      sum.awake += awakePods;
      sum.asleep += asleepPods;
      sum.awakeMs += awake;
      sum.alwaysOnMs += alwaysOn;
    }
    await sample(this.#redis, [this.#keys.podSamples], [SAMPLE_MS, SAMPLES_CAP, ...Object.entries(sum).flat()]);
  }

  /**
   * Returns the samples of the last `span` ms, oldest first.
   *
   * @param points about how many samples at most; of more, every n-th is returned, and the same ones at each call
   */
  async since(span: number, points: number): Promise<PodSample[]> {
    const count = Math.ceil(span / SAMPLE_MS);
    const step = Math.ceil(count / points) * SAMPLE_MS;
    const entries = await this.#newest(count);
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

  /** Returns the newest entries of the stream, newest first. */
  async #newest(count: number): Promise<[id: string, fields: string[]][]> {
    const entries: [id: string, fields: string[]][] = [];
    for (let end = '+'; entries.length < count; end = `(${entries.at(-1)![0]}`) {
      const slice = await this.#redis.xrevrange(this.#keys.podSamples, end, '-', 'COUNT', Math.min(SLICE, count - entries.length));
      entries.push(...slice);
      if (slice.length < SLICE) break;
    }
    return entries;
  }
}
