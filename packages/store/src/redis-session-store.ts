import {
  type ActivityKind,
  BEAT_STALE_MS,
  type Beat,
  bookings,
  type Commit,
  type CommitResult,
  type Filter,
  GAP_MS,
  LIVE_STATUSES,
  type LiveReading,
  type LiveStatus,
  type OwnedSession,
  type Page,
  type PatrolTurn,
  type Reading,
  type SessionRecord,
  type SessionStore,
  ShardMemory,
  shardOf,
  statusOf,
  TOMBSTONE_MS,
  type TouchResult,
} from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { encodeBookings } from './books.ts';
import { CHANGES_BYTES, encodeChange } from './changes.ts';
import { EVENTS_CAP, Keyspace, placeOf, uuidAt } from './keys.ts';
import { KEPT_STATUSES, listPage, pageOf, sessionsOf } from './list.ts';
import { decodeRecord, encodePatch, FIELDS, type IngestReply } from './record.ts';
import { loadScript } from './script.ts';

const touch = loadScript('touch');
const read = loadScript('read');
const commit = loadScript('commit');
const renew = loadScript('renew');
const unmark = loadScript('unmark');
const overdue = loadScript('overdue');
const bury = loadScript('bury');
const beat = loadScript('beat');
const clocked = loadScript('clocked');
const patrol = loadScript('patrol');
const rehearse = loadScript('rehearse');

const BATCH = 100;
/** How many index reads a turn of the patrol makes at most, to pass over sessions that had their turn. */
const PATROL_TRIES = 50;

export interface StoreOptions {
  /** `KEY_PREFIX` */
  readonly prefix: string;
  /** `SHARDS` */
  readonly shards: number;
  /** `ALARM_SLACK`, percent of the waiting time */
  readonly slack: number;
  /** Called after each write to an existing record; `now` in ms. A ping waits until it returns. */
  readonly written?: (before: () => SessionRecord, after: SessionRecord, now: number) => void;
}

/** Keeps sessions in Redis. Its methods throw the errors of Redis and ioredis unchanged. */
export class RedisSessionStore implements SessionStore {
  readonly shards: number;
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;
  readonly #slack: number;
  readonly #memories: readonly ShardMemory[];
  readonly #written: StoreOptions['written'];

  constructor(redis: Redis | Cluster, { prefix, shards, slack, written }: StoreOptions) {
    this.shards = shards;
    this.#written = written;
    this.#memories = Array.from({ length: shards }, () => new ShardMemory(() => performance.now()));
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
    this.#slack = slack;
  }

  async read(uuid: string): Promise<Reading> {
    const keys = this.#keys.of(uuid);
    const [now, json, ingest] = (await read(this.#redis, [keys.session(uuid), keys.ingest], [])) as [number, string, IngestReply];
    return { now, record: decodeRecord(uuid, json, ingest, now) };
  }

  async touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult> {
    const keys = this.#keys.of(uuid);
    const field = kind === 'user' ? 'lastActivity' : 'lastBackground';
    const reply = await touch(this.#redis, [keys.session(uuid), keys.ingest], [this.#slack, FIELDS[field], at ?? '']);
    const [touched, now, json, ingest, sleep, remove, before] = reply as [number, number, string, IngestReply, number, number, string];
    const record = decodeRecord(uuid, json, ingest, now);
    if (!touched || !record) return { kind: 'dormant', now, record };
    this.#memories[shardOf(uuid, this.shards)]!.wrote(record);
    this.#written?.(() => ({ ...record, [field]: Number(before) }), record, now);
    return { kind: 'touched', now, record, moved: { sleep: sleep === 1, delete: remove === 1 } };
  }

  async commit(uuid: string, base: SessionRecord | null, { patch, alarms, lease = 0 }: Commit): Promise<CommitResult> {
    const next = { ...base, ...patch } as SessionRecord;
    const from = base ? statusOf(base) : '';
    const to = statusOf(next);
    // New alarms are set from the last activity of either kind.
    const anchor = Math.max(next.lastActivity, next.lastBackground);
    const written = alarms ? { ...patch, sleepAnchor: anchor, deleteAnchor: anchor } : patch;
    const keys = this.#keys.of(uuid);
    const { cause, userId } = next;
    const reply = await commit(
      this.#redis,
      [
        keys.session(uuid),
        keys.unarmed,
        keys.events,
        keys.tombstones,
        keys.status(from || to),
        keys.status(to),
        keys.ingest,
        keys.savings,
        keys.failing,
      ],
      [
        ...[`${base?.rev ?? 0} ${base?.token ?? ''}`, uuid, alarms ? 1 : 0, lease, from, to, cause, userId, EVENTS_CAP],
        ...[placeOf(base?.userId ?? userId, uuid), placeOf(userId, uuid), encodeChange({ from, to, cause }), CHANGES_BYTES],
        ...encodeBookings(bookings(base, next), patch.failingSince ?? ''),
        ...encodePatch(written),
      ],
    );
    const [committed, now, json, ingest] = reply as [number, number, string, IngestReply];
    const record = decodeRecord(uuid, json, ingest, now);
    if (!committed || !record) return { kind: 'conflict', now, record };
    this.#memories[shardOf(uuid, this.shards)]!.wrote(record);
    if (base) this.#written?.(() => base, record, now);
    return { kind: 'committed', now, record };
  }

  async renew(uuid: string, token: string, lease: number): Promise<Reading> {
    const keys = this.#keys.of(uuid);
    const reply = await renew(this.#redis, [keys.session(uuid), keys.ingest], [token, lease]);
    const [now, json, ingest] = reply as [number, string, IngestReply];
    return { now, record: decodeRecord(uuid, json, ingest, now) };
  }

  async beat(shard: number, open: boolean): Promise<Beat> {
    // The first heartbeat only reads the shard's clock, because a heartbeat carries the time at which it is sent.
    if (open && this.#memories[shard]!.now === 0) await this.#beat(shard, 0);
    return this.#beat(shard, open ? this.#memories[shard]!.now : 0);
  }

  async #beat(shard: number, sentAt: number): Promise<Beat> {
    const keys = this.#keys.shards[shard]!;
    const memory = this.#memories[shard]!;
    const { uuid, rev, n } = memory.witness;
    const reply = await beat(this.#redis, [keys.ingest, keys.session(uuid)], [rev, n, sentAt, BEAT_STALE_MS, GAP_MS]);
    const [now, gap, rewound] = reply as [number, number, number];
    memory.heard(now);
    if (rewound) memory.forget();
    return { now, gap, rewound: rewound === 1 };
  }

  async walk(shard: number, limit: number): Promise<LiveReading[]> {
    const keys = this.#keys.shards[shard]!;
    const last = (await this.#redis.get(keys.walk)) ?? '';
    const places = await pageOf(this.#redis, keys, { statuses: LIVE_STATUSES }, last, limit);
    // A short page ends the round; the next one begins at the first member.
    await (places.length === limit ? this.#redis.set(keys.walk, places.at(-1)!) : this.#redis.del(keys.walk));
    const readings = await Promise.all(places.map((place) => this.read(uuidAt(place))));
    return readings.filter((reading): reading is LiveReading => reading.record !== null);
  }

  async patrol(shard: number, least: number): Promise<PatrolTurn> {
    const keys = this.#keys.shards[shard]!;
    const indexes = KEPT_STATUSES.map((status) => keys.status(status));
    const [found, next] = (await patrol(this.#redis, [keys.patrol, keys.patrolled, ...indexes], [least, PATROL_TRIES])) as [number, string];
    return found ? { kind: 'next', uuid: next } : { kind: 'wait', ms: Number(next) };
  }

  async sample(limit: number): Promise<LiveReading[]> {
    const first = Math.floor(Math.random() * this.shards);
    const sample: LiveReading[] = [];
    for (let i = 0; i < this.shards && sample.length < limit; i++) {
      const keys = this.#keys.shards[(first + i) % this.shards]!;
      const places = await Promise.all(KEPT_STATUSES.map((status) => this.#redis.zrandmember(keys.status(status), limit)));
      const readings = await Promise.all(places.flat().map((place) => this.read(uuidAt(place))));
      const live = readings.filter((reading): reading is LiveReading => reading.record !== null && reading.record.wanted !== 'gone');
      const shuffled = live.map((reading) => ({ reading, at: Math.random() })).sort((a, b) => a.at - b.at);
      sample.push(...shuffled.slice(0, limit - sample.length).map(({ reading }) => reading));
    }
    return sample;
  }

  async unmark(uuid: string, n: number): Promise<boolean> {
    const keys = this.#keys.of(uuid);
    return (await unmark(this.#redis, [keys.session(uuid), keys.unarmed], [uuid, n])) === 1;
  }

  async marked(age: number): Promise<string[]> {
    const byShard = await Promise.all(
      this.#keys.shards.map((keys) => overdue(this.#redis, [keys.unarmed], [age, BATCH]) as Promise<string[]>),
    );
    return byShard.flat();
  }

  async bury(): Promise<number> {
    const forgotten = this.#keys.shards.map(async (keys) => {
      for (let sum = 0; ; ) {
        const due = (await overdue(this.#redis, [keys.tombstones], [TOMBSTONE_MS, BATCH])) as string[];
        const buried = (await Promise.all(due.map((uuid) => this.#bury(uuid)))).reduce((all, one) => all + one, 0);
        sum += buried;
        // If none of a full batch was removed, another worker is removing them.
        if (due.length < BATCH || buried === 0) return sum;
      }
    });
    return (await Promise.all(forgotten)).reduce((sum, one) => sum + one, 0);
  }

  async #bury(uuid: string): Promise<number> {
    const keys = this.#keys.of(uuid);
    const userId = (await this.#redis.hget(keys.session(uuid), FIELDS.userId)) ?? '';
    const names = [keys.session(uuid), keys.tombstones, keys.status('deleted')];
    return (await bury(this.#redis, names, [uuid, TOMBSTONE_MS, placeOf(userId, uuid)])) as number;
  }

  async count(): Promise<Record<LiveStatus, number>> {
    const entries = LIVE_STATUSES.map(async (status) => {
      const sizes = await Promise.all(this.#keys.shards.map((keys) => this.#redis.zcard(keys.status(status))));
      return [status, sizes.reduce((sum, size) => sum + size, 0)] as const;
    });
    return Object.fromEntries(await Promise.all(entries)) as Record<LiveStatus, number>;
  }

  /** Sets how long before each idle sleep a warning is sent, in ms; 0: no warning. */
  async setWarning(ms: number): Promise<void> {
    await Promise.all(this.#keys.shards.map(({ ingest }) => this.#redis.hset(ingest, 'warning', ms)));
  }

  /**
   * Announces whether a worker is a dry run or makes calls; workers announce it every few seconds. The end of a dry run counts
   * as activity of every session that is wanted awake, as the end of a gap does.
   *
   * @param lasts how long a worker counts as making calls after it announced so, in ms
   * @returns whether this worker is a dry run and others make calls
   */
  async rehearse(dry: boolean, lasts: number): Promise<boolean> {
    const replies = await Promise.all(this.#keys.shards.map(({ ingest }) => rehearse(this.#redis, [ingest], [dry ? 1 : 0, lasts])));
    return replies.includes(1);
  }

  /** Returns Redis' clock of the first shard, in ms. */
  async clock(): Promise<number> {
    const [now] = (await clocked(this.#redis, [this.#keys.shards[0]!.ingest], [])) as [number];
    return now;
  }

  /** Returns the age of the last heartbeat in the shard where it is oldest (`beatAgo`), in ms; null where a shard never had one. */
  async waysIn(): Promise<{ readonly now: number; readonly beatAgo: number | null }> {
    const ways = await Promise.all(
      this.#keys.shards.map(({ ingest }) => clocked(this.#redis, [ingest], []) as Promise<[number, string[]]>),
    );
    const beats = ways.map(([now, flat]) => (flat.includes('beat') ? now - Number(flat[flat.indexOf('beat') + 1]) : null));
    const known = beats.filter((ago) => ago !== null);
    return { now: ways[0]![0], beatAgo: known.length < beats.length ? null : Math.max(...known) };
  }

  list(filter: Filter, limit: number, cursor: string | null): Promise<Page> {
    return listPage(this.#redis, this.#keys, (uuid) => this.read(uuid), filter, limit, cursor);
  }

  /** Returns the sessions whose calls to the session-manager fail, those that fail longest first, and how many there are. */
  async failing(limit: number): Promise<{ readonly count: number; readonly first: LiveReading[] }> {
    const shards = this.#keys.shards.map(async ({ failing }) => {
      const [count, flat] = await Promise.all([this.#redis.zcard(failing), this.#redis.zrange(failing, '0', String(limit - 1))]);
      return { count, uuids: flat };
    });
    const found = await Promise.all(shards);
    const readings = await Promise.all(found.flatMap(({ uuids }) => uuids).map((uuid) => this.read(uuid)));
    const first = readings.filter((reading): reading is LiveReading => (reading.record?.failures ?? 0) > 0);
    first.sort((a, b) => a.record.failingSince - b.record.failingSince);
    return { count: found.reduce((sum, { count }) => sum + count, 0), first: first.slice(0, limit) };
  }

  ofUsers(shard: number, userIds: readonly string[]): AsyncIterable<readonly OwnedSession[]> {
    return sessionsOf(this.#redis, this.#keys.shards[shard]!, userIds);
  }
}
