import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const report = loadScript('report-worker');
const hashWithTime = loadScript('hash-with-time');

/** How often a worker reports, in ms. */
export const REPORT_MS = 2_000;
/** A worker whose last report is older than this counts as dead, in ms. */
export const LOST_MS = 10_000;
/** How long a worker is kept after its last report, in ms. The next report of any worker then removes it. */
const FORGET_MS = 3_600_000;
/** How many repairs are kept, of all workers together. */
const REPAIRS_CAP = 100;

/** What a worker reports. Durations are in ms and end at the report. */
export interface WorkerState {
  /** Id of the process; it never repeats. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly upFor: number;
  /** The worker's trouble: `failing`, `not-found` or `dry-run`; null: none. In `not-found` the worker still makes calls. */
  readonly trouble: string | null;
  readonly troubleFor: number;
  /** How long ago the worker's sweep last finished a visit to a shard; null: it has finished none. */
  readonly sweptAgo: number | null;
  /** By how much the machine's clock is ahead of Redis', in ms; below 0: behind. */
  readonly clockAhead: number;
}

export type SeenWorker = WorkerState & { /** How long ago the worker reported, in ms. */ readonly seenAgo: number };

/** A repair of one session's alarms, or of `count` sessions where `uuid` is empty. */
export interface RepairEntry {
  /** When it was recorded, in ms of Redis' clock. */
  readonly at: number;
  readonly kind: string;
  readonly uuid: string;
  readonly count: number;
}

/** Decodes a worker's report; null if this version of Sandman cannot read it. */
function parseReport(text: string, now: number): SeenWorker | null {
  const [, at, json] = /^(\d+) (.*)$/s.exec(text) ?? [];
  try {
    const { id, host, pid, upFor, trouble, troubleFor, sweptAgo, clockAhead } = JSON.parse(json ?? '') as Partial<WorkerState>;
    if (typeof id !== 'string' || typeof upFor !== 'number') return null;
    const known = { id, host: String(host), pid: Number(pid), upFor, trouble: trouble ?? null, troubleFor: troubleFor ?? 0 };
    return { ...known, sweptAgo: sweptAgo ?? null, clockAhead: clockAhead ?? 0, seenAgo: now - Number(at) };
  } catch {
    return null;
  }
}

/** The worker registry: what each worker reports (that it is alive, and its trouble), and the last repairs. */
export class RedisWorkerRegistry {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    // Shard 0 holds the one registry, because each worker serves all shards.
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  async report(worker: WorkerState): Promise<void> {
    await report(this.#redis, [this.#keys.workers], [worker.id, JSON.stringify(worker), FORGET_MS]);
  }

  /** Removes a worker that stops normally, so that it does not count as dead. */
  async signOff(id: string): Promise<void> {
    await this.#redis.hdel(this.#keys.workers, id);
  }

  /** Returns the live workers, and the dead ones that are still kept; the one that started earliest comes first. */
  async workers(): Promise<SeenWorker[]> {
    const [now, flat] = (await hashWithTime(this.#redis, [this.#keys.workers], [])) as [number, string[]];
    const seen = flat.flatMap((text, i) => (i % 2 === 1 ? (parseReport(text, now) ?? []) : []));
    return seen.sort((a, b) => b.upFor + b.seenAgo - a.upFor - a.seenAgo);
  }

  /** Records a repair. @param count how many sessions, where `uuid` is empty */
  async repaired(kind: string, uuid: string, count = 1): Promise<void> {
    await this.#redis.xadd(this.#keys.repairs, 'MAXLEN', '=', REPAIRS_CAP, '*', 'kind', kind, 'uuid', uuid, 'count', count);
  }

  /** Returns the last 100 repairs at most, newest first. */
  async repairs(): Promise<RepairEntry[]> {
    const entries = await this.#redis.xrevrange(this.#keys.repairs, '+', '-');
    return entries.map(([id, [, kind, , uuid, , count]]) => ({
      at: Number(id.split('-', 1)[0]),
      kind: kind!,
      uuid: uuid!,
      count: Number(count),
    }));
  }
}
