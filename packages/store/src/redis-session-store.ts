import {
  type ActivityKind,
  type Commit,
  type CommitResult,
  type Filter,
  GAP_MS,
  HEARTBEAT_STALE_MS,
  type Heartbeat,
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
  TOMBSTONE_MS,
  type TouchResult,
} from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { commitKeys, commitMessage } from './commit-message.ts';
import { indexMember, Keyspace, uuidOfMember } from './keys.ts';
import { indexPage, KEPT_STATUSES, listPage, sessionsOf } from './list.ts';
import { decodeRecord, FIELDS, type IntakeReply } from './record.ts';
import { loadScript } from './script.ts';

const touch = loadScript('touch');
const read = loadScript('read');
const commit = loadScript('commit');
const renew = loadScript('renew');
const unmark = loadScript('unmark');
const olderThan = loadScript('older-than');
const removeTombstone = loadScript('remove-tombstone');
const heartbeat = loadScript('heartbeat');
const patrol = loadScript('patrol');

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
  readonly #shardMemories: readonly ShardMemory[];
  readonly #written: StoreOptions['written'];

  constructor(redis: Redis | Cluster, { prefix, shards, slack, written }: StoreOptions) {
    this.shards = shards;
    this.#written = written;
    this.#shardMemories = Array.from({ length: shards }, () => new ShardMemory(() => performance.now()));
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
    this.#slack = slack;
  }

  async read(uuid: string): Promise<Reading> {
    const keys = this.#keys.of(uuid);
    const [now, json, intake] = (await read(this.#redis, [keys.session(uuid), keys.intake], [])) as [number, string, IntakeReply];
    return { now, record: decodeRecord(uuid, json, intake, now) };
  }

  async touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult> {
    const keys = this.#keys.of(uuid);
    const field = kind === 'user' ? 'lastActivity' : 'lastBackground';
    const reply = await touch(this.#redis, [keys.session(uuid), keys.intake], [this.#slack, FIELDS[field], at ?? '']);
    const [touched, now, json, intake, sleep, remove, before] = reply as [number, number, string, IntakeReply, number, number, string];
    const record = decodeRecord(uuid, json, intake, now);
    if (!touched || !record) return { kind: 'dormant', now, record };
    this.#shardMemories[shardOf(uuid, this.shards)]!.wrote(record);
    this.#written?.(() => ({ ...record, [field]: Number(before) }), record, now);
    return { kind: 'touched', now, record, moved: { sleep: sleep === 1, delete: remove === 1 } };
  }

  async commit(uuid: string, base: SessionRecord | null, decision: Commit): Promise<CommitResult> {
    const keys = this.#keys.of(uuid);
    const message = commitMessage(uuid, base, decision);
    const reply = await commit(this.#redis, commitKeys(keys, message), [JSON.stringify(message)]);
    const [committed, now, json, intake] = reply as [number, number, string, IntakeReply];
    const record = decodeRecord(uuid, json, intake, now);
    if (!committed || !record) return { kind: 'conflict', now, record };
    this.#shardMemories[shardOf(uuid, this.shards)]!.wrote(record);
    if (base) this.#written?.(() => base, record, now);
    return { kind: 'committed', now, record };
  }

  async renew(uuid: string, token: string, lease: number): Promise<Reading> {
    const keys = this.#keys.of(uuid);
    const reply = await renew(this.#redis, [keys.session(uuid), keys.intake], [token, lease]);
    const [now, json, intake] = reply as [number, string, IntakeReply];
    return { now, record: decodeRecord(uuid, json, intake, now) };
  }

  async heartbeat(shard: number, open: boolean): Promise<Heartbeat> {
    // The first heartbeat only reads the shard's clock, because a heartbeat carries the time at which it is sent.
    if (open && this.#shardMemories[shard]!.now === 0) await this.#heartbeat(shard, 0);
    return this.#heartbeat(shard, open ? this.#shardMemories[shard]!.now : 0);
  }

  async #heartbeat(shard: number, sentAt: number): Promise<Heartbeat> {
    const keys = this.#keys.shards[shard]!;
    const memory = this.#shardMemories[shard]!;
    const { uuid, rev, n } = memory.witness;
    const reply = await heartbeat(this.#redis, [keys.intake, keys.session(uuid)], [rev, n, sentAt, HEARTBEAT_STALE_MS, GAP_MS]);
    const [now, gap, rewound] = reply as [number, number, number];
    memory.sawClock(now);
    if (rewound) memory.forget();
    return { now, gap, rewound: rewound === 1 };
  }

  async walk(shard: number, limit: number): Promise<LiveReading[]> {
    const keys = this.#keys.shards[shard]!;
    const last = (await this.#redis.get(keys.walk)) ?? '';
    const members = await indexPage(this.#redis, keys, { statuses: LIVE_STATUSES }, last, limit);
    // A short page ends the round; the next one begins at the first member.
    await (members.length === limit ? this.#redis.set(keys.walk, members.at(-1)!) : this.#redis.del(keys.walk));
    const readings = await Promise.all(members.map((member) => this.read(uuidOfMember(member))));
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
      const members = await Promise.all(KEPT_STATUSES.map((status) => this.#redis.zrandmember(keys.status(status), limit)));
      const readings = await Promise.all(members.flat().map((member) => this.read(uuidOfMember(member))));
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
      this.#keys.shards.map((keys) => olderThan(this.#redis, [keys.unarmed], [age, BATCH]) as Promise<string[]>),
    );
    return byShard.flat();
  }

  async removeTombstones(): Promise<number> {
    const forgotten = this.#keys.shards.map(async (keys) => {
      for (let sum = 0; ; ) {
        const due = (await olderThan(this.#redis, [keys.tombstones], [TOMBSTONE_MS, BATCH])) as string[];
        const buried = (await Promise.all(due.map((uuid) => this.#removeTombstone(uuid)))).reduce((all, one) => all + one, 0);
        sum += buried;
        // If none of a full batch was removed, another worker is removing them.
        if (due.length < BATCH || buried === 0) return sum;
      }
    });
    return (await Promise.all(forgotten)).reduce((sum, one) => sum + one, 0);
  }

  async #removeTombstone(uuid: string): Promise<number> {
    const keys = this.#keys.of(uuid);
    const userId = (await this.#redis.hget(keys.session(uuid), FIELDS.userId)) ?? '';
    const names = [keys.session(uuid), keys.tombstones, keys.status('deleted')];
    return (await removeTombstone(this.#redis, names, [uuid, TOMBSTONE_MS, indexMember(userId, uuid)])) as number;
  }

  async count(): Promise<Record<LiveStatus, number>> {
    const entries = LIVE_STATUSES.map(async (status) => {
      const sizes = await Promise.all(this.#keys.shards.map((keys) => this.#redis.zcard(keys.status(status))));
      return [status, sizes.reduce((sum, size) => sum + size, 0)] as const;
    });
    return Object.fromEntries(await Promise.all(entries)) as Record<LiveStatus, number>;
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
