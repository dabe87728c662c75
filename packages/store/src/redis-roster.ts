import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const report = loadScript('report');
const clocked = loadScript('clocked');

/** How often a worker reports, in ms. */
export const REPORT_MS = 2_000;
/** A worker that has not reported for longer counts as dead, in ms. */
export const LOST_MS = 10_000;
/** How long a dead worker is remembered, in ms. */
const FORGET_MS = 3_600_000;
/** How many repairs are kept, of all workers together. */
const REPAIRS_CAP = 100;

/** What a worker reports. Times in ms, counted back from the report. */
export interface WorkerState {
  /** Id of the process; it never repeats. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly upFor: number;
  /** Why the worker does not call the session-manager; null: it does. */
  readonly trouble: string | null;
  readonly troubleFor: number;
  /** How long ago the worker last finished a visit of the sweep; null: it has not yet. */
  readonly sweptAgo: number | null;
  /** By how much the machine's clock is ahead of Redis', in ms; below 0: behind. */
  readonly clockAhead: number;
}

export type SeenWorker = WorkerState & { /** How long ago the worker reported, in ms. */ readonly seenAgo: number };

/** A session whose alarms were repaired; where `uuid` is empty, several sessions. */
export interface Repair {
  /** ms */
  readonly at: number;
  readonly kind: string;
  readonly uuid: string;
  readonly count: number;
}

/** Decodes a worker's report; null where this version cannot read it. */
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

/** The worker registry: which workers are alive, why they make no calls, and the last repairs. */
export class RedisRoster {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    // One registry for all shards: each worker serves all of them.
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  async report(worker: WorkerState): Promise<void> {
    await report(this.#redis, [this.#keys.workers], [worker.id, JSON.stringify(worker), FORGET_MS]);
  }

  /** Removes a worker that stops normally, so that it does not count as dead. */
  async signOff(id: string): Promise<void> {
    await this.#redis.hdel(this.#keys.workers, id);
  }

  /** Returns the workers that reported within the last hour, the longest running first. */
  async workers(): Promise<SeenWorker[]> {
    const [now, flat] = (await clocked(this.#redis, [this.#keys.workers], [])) as [number, string[]];
    const seen = flat.flatMap((text, i) => (i % 2 === 1 ? (parseReport(text, now) ?? []) : []));
    return seen.sort((a, b) => b.upFor + b.seenAgo - a.upFor - a.seenAgo);
  }

  /** Records a repair. @param count how many sessions, where `uuid` is empty */
  async repaired(kind: string, uuid: string, count = 1): Promise<void> {
    await this.#redis.xadd(this.#keys.repairs, 'MAXLEN', '=', REPAIRS_CAP, '*', 'kind', kind, 'uuid', uuid, 'count', count);
  }

  /** Returns the last 100 repairs at most, newest first. */
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
