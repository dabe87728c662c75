import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const report = loadScript('report');
const clocked = loadScript('clocked');

/** How often a worker says that it lives, in ms. */
export const REPORT_MS = 2_000;
/** A worker that has not said so for longer counts as dead, in ms. */
export const LOST_MS = 10_000;
/** How long a dead one is remembered, in ms. */
const FORGET_MS = 3_600_000;
/** The last repairs, of all workers together. */
const REPAIRS_CAP = 100;

/** What a worker says of itself. Times in ms, counted back from when it says so. */
export interface WorkerState {
  /** Of this process; it never repeats. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly upFor: number;
  /** Why it does not call the session-manager; null: it does. */
  readonly trouble: string | null;
  readonly troubleFor: number;
  /** Since it last finished a visit of the sweep; null: it has not yet. */
  readonly sweptAgo: number | null;
  /** By how much its machine's clock is ahead of Redis', in ms; below 0: behind. */
  readonly clockAhead: number;
}

export type SeenWorker = WorkerState & { /** How long ago it said so, in ms. */ readonly seenAgo: number };

/** A session, or where `uuid` is empty several, whose alarms had to be mended. */
export interface Repair {
  /** ms */
  readonly at: number;
  readonly kind: string;
  readonly uuid: string;
  readonly count: number;
}

/** What a worker wrote of itself; null for what is none of this version's. */
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

/** What workers tell operators: that they live, what keeps them from calling, and what had to be mended. */
export class RedisRoster {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    // One for all shards: workers serve them all.
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  async report(worker: WorkerState): Promise<void> {
    await report(this.#redis, [this.#keys.workers], [worker.id, JSON.stringify(worker), FORGET_MS]);
  }

  /** One that goes in peace is not missed. */
  async signOff(id: string): Promise<void> {
    await this.#redis.hdel(this.#keys.workers, id);
  }

  /** Those heard of within the last hour, the longest up first. */
  async workers(): Promise<SeenWorker[]> {
    const [now, flat] = (await clocked(this.#redis, [this.#keys.workers], [])) as [number, string[]];
    const seen = flat.flatMap((text, i) => (i % 2 === 1 ? (parseReport(text, now) ?? []) : []));
    return seen.sort((a, b) => b.upFor + b.seenAgo - a.upFor - a.seenAgo);
  }

  /** @param count of sessions, where no single one is known */
  async repaired(kind: string, uuid: string, count = 1): Promise<void> {
    await this.#redis.xadd(this.#keys.repairs, 'MAXLEN', '=', REPAIRS_CAP, '*', 'kind', kind, 'uuid', uuid, 'count', count);
  }

  /** The last hundred at most, newest first. */
  async repairs(): Promise<Repair[]> {
    const entries = await this.#redis.xrevrange(this.#keys.repairs, '+', '-');
    return entries.map(([id, [, kind, , uuid, , count]]) => ({
      at: Number(id.split('-', 1)[0]),
      kind: kind!,
      uuid: uuid!,
      count: Number(count),
    }));
  }
}
