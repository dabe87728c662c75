import {
  type ActivityKind,
  type Commit,
  type CommitResult,
  type Filter,
  GAP_MS,
  HEARTBEAT_STALE_MS,
  type Heartbeat,
  type Intake,
  InvalidInput,
  knownHeartbeat,
  LIVE_STATUSES,
  type LiveReading,
  type LiveStatus,
  NEW_INTAKE,
  type OwnedSession,
  type Page,
  type PatrolTurn,
  type Reading,
  type SessionRecord,
  type SessionStore,
  ShardMemory,
  type Status,
  statusOf,
  TOMBSTONE_MS,
  type TouchResult,
} from '@sandman/core';
import { NO_POLICIES, type PolicyState } from './memory-policies.ts';
import type { Command } from './redis.ts';

type Stored = Omit<SessionRecord, 'intake'>;

const MARKS_PER_CALL = 100;
/** The same number as in the real store. */
const PATROL_TRIES = 50;
const PATROLLED = LIVE_STATUSES.filter((status) => status !== 'deleting');

/** A shard's keys. Values are replaced, never changed, so that a copy of the maps is a snapshot. */
export interface MemoryShard {
  records: Map<string, Stored>;
  unarmed: Map<string, number>;
  intake: Intake;
  /** When a heartbeat from the future was found, ms; 0: there was none, or an API has sent one since. */
  futureHeartbeatAt: number;
  walkCursor: string;
  /** Where the patrol is, and when each session had its last turn, ms. */
  patrolCursor: { readonly index: number; readonly member: string };
  patrolled: Map<string, number>;
  policies: PolicyState;
}

export function emptyShard(): MemoryShard {
  return {
    records: new Map(),
    unarmed: new Map(),
    intake: NEW_INTAKE,
    futureHeartbeatAt: 0,
    walkCursor: '',
    patrolCursor: { index: 0, member: '' },
    patrolled: new Map(),
    policies: NO_POLICIES,
  };
}

export function copyShard({ records, unarmed, patrolled, ...others }: MemoryShard): MemoryShard {
  return { ...others, records: new Map(records), unarmed: new Map(unarmed), patrolled: new Map(patrolled) };
}

/** A write of a record, as `MemoryStoreOptions.written` receives it. */
export interface RecordWrite {
  readonly before: Stored | null;
  readonly after: Stored;
  readonly at: number;
}

/** The clock of Redis, ms: `now` is rounded down, as in most scripts; `ceiling` is rounded up, as `touch` records an activity. */
interface RedisTime {
  readonly now: number;
  readonly ceiling: number;
}

export interface MemoryStoreOptions {
  readonly state: MemoryShard;
  readonly clock: () => RedisTime;
  /** Runs an effect on the state, as a command in Redis. */
  readonly command: Command;
  /** In percent of the waiting time. */
  readonly slack: number;
  readonly written?: (write: RecordWrite) => void;
  readonly gap?: (intake: Intake, length: number) => void;
}

/** Does in memory, on one shard, what the Lua scripts do. `conformance.test.ts` compares the two. */
export class MemoryStore implements SessionStore {
  readonly shards = 1;
  readonly #options: MemoryStoreOptions;
  readonly #memory: ShardMemory;
  #sampled = 0;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.#memory = new ShardMemory(() => options.clock().now);
  }

  read(uuid: string): Promise<Reading> {
    return this.#options.command(() => this.#reading(uuid));
  }

  touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult> {
    return this.#acknowledged(() => {
      const stored = this.#options.state.records.get(uuid);
      if (stored?.wanted !== 'awake') return { kind: 'dormant', ...this.#reading(uuid) };
      const field = kind === 'user' ? 'lastActivity' : 'lastBackground';
      const { ceiling } = this.#options.clock();
      const when = Math.max(Math.min(at ?? ceiling, ceiling), stored[field]);
      const { sleepAfter, deleteAfter } = stored.policy;
      const moves = (anchor: number, after: number | null) => after !== null && when - anchor > (after * this.#options.slack) / 100;
      const moved = {
        sleep: moves(stored.sleepAnchor, sleepAfter),
        delete: moves(stored.deleteAnchor, deleteAfter === null ? null : deleteAfter + (sleepAfter ?? 0)),
      };
      this.#write(stored, {
        ...stored,
        [field]: when,
        ...(moved.sleep ? { sleepAnchor: when } : {}),
        ...(moved.delete ? { deleteAnchor: when } : {}),
      });
      return { kind: 'touched', moved, ...this.#liveReading(uuid) };
    });
  }

  commit(uuid: string, base: SessionRecord | null, { patch, alarms, lease = 0 }: Commit): Promise<CommitResult> {
    return this.#acknowledged(() => {
      const { state, clock } = this.#options;
      const { now } = clock();
      const stored = state.records.get(uuid) ?? null;
      if ((stored?.rev ?? 0) !== (base?.rev ?? 0) || (stored?.token ?? '') !== (base?.token ?? ''))
        return { kind: 'conflict', ...this.#reading(uuid) };
      const fresh = { rev: 0, n: 0, sleepAnchor: 0, deleteAnchor: 0, deletedAt: 0 };
      const next = { ...fresh, ...stored, ...patch, uuid } as Stored;
      const anchor = Math.max(next.lastActivity, next.lastBackground);
      if (alarms) state.unarmed.set(uuid, now);
      this.#write(stored, {
        ...next,
        ...(alarms ? { n: Math.max((stored?.n ?? 0) + 1, now), sleepAnchor: anchor, deleteAnchor: anchor } : {}),
        ...(lease > 0 ? { actionUntil: now + lease } : {}),
      });
      return { kind: 'committed', ...this.#liveReading(uuid) };
    });
  }

  renew(uuid: string, token: string, lease: number): Promise<Reading> {
    return this.#options.command(() => {
      const stored = this.#options.state.records.get(uuid);
      if (stored?.token === token) this.#write(stored, { ...stored, actionUntil: this.#options.clock().now + lease });
      return this.#reading(uuid);
    });
  }

  unmark(uuid: string, n: number): Promise<boolean> {
    return this.#options.command(() => {
      const stored = this.#options.state.records.get(uuid);
      if (stored && stored.n !== n) return false;
      this.#options.state.unarmed.delete(uuid);
      return stored !== undefined;
    });
  }

  marked(age: number): Promise<string[]> {
    return this.#options.command(() => {
      const limit = this.#options.clock().now - age;
      const due = [...this.#options.state.unarmed].filter(([, at]) => at <= limit).sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
      return due.slice(0, MARKS_PER_CALL).map(([uuid]) => uuid);
    });
  }

  list(filter: Filter, limit: number, cursor: string | null): Promise<Page> {
    return this.#options.command(() => {
      const match = /^(\d{1,4}):(|.+\0[A-Za-z0-9_-]{1,64})$/s.exec(cursor === null ? '0:' : Buffer.from(cursor, 'base64url').toString());
      if (match?.[1] !== '0') throw new InvalidInput('cursor', 'must be the nextCursor of an earlier answer');
      const uuids = this.#uuids(filter).filter((uuid) => this.#indexMember(uuid) > match[2]!);
      const page = uuids.slice(0, limit);
      const more = page.length === limit ? Buffer.from(`0:${this.#indexMember(page.at(-1)!)}`).toString('base64url') : null;
      return { items: page.map((uuid) => this.#liveReading(uuid)), cursor: more };
    });
  }

  async *ofUsers(_shard: number, userIds: readonly string[]): AsyncGenerator<readonly OwnedSession[]> {
    yield await this.#options.command(() => {
      const found = userIds.flatMap((userId) => this.#uuids({ userId }).map((uuid) => this.#liveReading(uuid).record));
      return found.filter(({ wanted }) => wanted !== 'gone').map(({ uuid, userId }) => ({ uuid, userId }));
    });
  }

  count(): Promise<Record<LiveStatus, number>> {
    return this.#options.command(() => {
      const entries = LIVE_STATUSES.map((status) => [status, this.#uuids({ status }).length]);
      return Object.fromEntries(entries) as Record<LiveStatus, number>;
    });
  }

  removeTombstones(): Promise<number> {
    return this.#options.command(() => {
      const { records } = this.#options.state;
      const limit = this.#options.clock().now - TOMBSTONE_MS;
      const due = [...records.values()].filter(({ deletedAt }) => deletedAt > 0 && deletedAt <= limit);
      for (const { uuid } of due) records.delete(uuid);
      return due.length;
    });
  }

  walk(_shard: number, limit: number): Promise<LiveReading[]> {
    return this.#options.command(() => {
      const { state } = this.#options;
      const page = this.#uuids({})
        .filter((uuid) => this.#indexMember(uuid) > state.walkCursor)
        .slice(0, limit);
      state.walkCursor = page.length === limit ? this.#indexMember(page.at(-1)!) : '';
      return page.map((uuid) => this.#liveReading(uuid));
    });
  }

  patrol(_shard: number, least: number): Promise<PatrolTurn> {
    return this.#options.command(() => {
      const { state, clock } = this.#options;
      const { now } = clock();
      state.patrolled = new Map([...state.patrolled].filter(([, at]) => at > now - least && at <= now));
      let { index, member } = state.patrolCursor;
      let uuid: string | undefined;
      for (let tries = 0, rounds = 0; tries < PATROL_TRIES && rounds < 2 && uuid === undefined; tries++) {
        const next = this.#uuids({ status: PATROLLED[index]! }).find((one) => this.#indexMember(one) > member);
        if (next !== undefined) {
          member = this.#indexMember(next);
          if (!state.patrolled.has(next)) uuid = next;
        } else {
          member = '';
          index = (index + 1) % PATROLLED.length;
          if (index === 0) rounds++;
        }
      }
      state.patrolCursor = { index, member };
      if (uuid !== undefined) {
        state.patrolled.set(uuid, now);
        return { kind: 'next', uuid };
      }
      const first = Math.min(...state.patrolled.values());
      return { kind: 'wait', ms: Number.isFinite(first) ? Math.max(1, first + least - now) : least };
    });
  }

  sample(limit: number): Promise<LiveReading[]> {
    return this.#options.command(() => {
      const uuids = PATROLLED.flatMap((status) => this.#uuids({ status }));
      const from = this.#sampled++ % Math.max(1, uuids.length);
      return [...uuids.slice(from), ...uuids.slice(0, from)].slice(0, limit).map((uuid) => this.#liveReading(uuid));
    });
  }

  async heartbeat(_shard: number, open: boolean): Promise<Heartbeat> {
    if (open && this.#memory.now === 0) await this.#sendHeartbeat(0);
    return this.#sendHeartbeat(open ? this.#memory.now : 0);
  }

  async #sendHeartbeat(sentAt: number): Promise<Heartbeat> {
    const { witness } = this.#memory;
    const found = await this.#options.command(() => this.#applyHeartbeat(witness, sentAt));
    this.#memory.sawClock(found.now);
    if (found.rewound) this.#memory.forget();
    return found;
  }

  #applyHeartbeat({ uuid, rev, n }: ShardMemory['witness'], sentAt: number): Heartbeat {
    const { state, clock } = this.#options;
    const { now } = clock();
    const fromTheFuture = state.intake.lastHeartbeat > now;
    const { lostTime, rewoundAt: before } = state.intake;
    const [lastHeartbeat, gapEndedAt] = fromTheFuture ? [0, now] : [state.intake.lastHeartbeat, state.intake.gapEndedAt];
    if (fromTheFuture) state.futureHeartbeatAt = now;
    const stored = state.records.get(uuid);
    const rewound = (stored?.rev ?? 0) < rev || (stored?.n ?? 0) < n || (rev > 0 && stored?.rev === rev && stored.n !== n);
    const open = now - sentAt <= HEARTBEAT_STALE_MS;
    const silence = lastHeartbeat > 0 && now - lastHeartbeat > GAP_MS ? now - lastHeartbeat : 0;
    const gap = !open ? 0 : state.futureHeartbeatAt > 0 ? Math.max(now - state.futureHeartbeatAt, GAP_MS + 1) : silence;
    if (open) state.futureHeartbeatAt = 0;
    state.intake = {
      ...state.intake,
      lastHeartbeat: open ? Math.max(lastHeartbeat, Math.min(now, sentAt)) : lastHeartbeat,
      gapEndedAt: gap > 0 || rewound ? now : gapEndedAt,
      lostTime: lostTime + gap,
      rewoundAt: rewound ? now : before,
    };
    if (gap > 0) this.#options.gap?.(state.intake, gap);
    return { now, gap, rewound };
  }

  async #acknowledged<T extends TouchResult | CommitResult>(effect: () => T): Promise<T> {
    const result = await this.#options.command(effect);
    if (result.record && (result.kind === 'touched' || result.kind === 'committed')) this.#memory.wrote(result.record);
    return result;
  }

  #write(before: Stored | null, changed: Stored): void {
    const after = { ...changed, rev: (before?.rev ?? 0) + 1 };
    this.#options.state.records.set(after.uuid, after);
    this.#options.written?.({ before, after, at: this.#options.clock().now });
  }

  #reading(uuid: string): Reading {
    const { state, clock } = this.#options;
    const stored = state.records.get(uuid);
    const { now } = clock();
    const intake = { ...state.intake, lastHeartbeat: knownHeartbeat(state.intake.lastHeartbeat, now) };
    return { now, record: stored ? { ...stored, intake } : null };
  }

  #liveReading(uuid: string): LiveReading {
    return this.#reading(uuid) as LiveReading;
  }

  #uuids({ userId, status }: Filter): string[] {
    const fits = (stored: Stored) => {
      const shown: Status = statusOf(stored);
      return (userId === undefined || stored.userId === userId) && (status ? shown === status : shown !== 'deleted');
    };
    const found = [...this.#options.state.records.values()].filter(fits).map(({ uuid }) => ({ uuid, member: this.#indexMember(uuid) }));
    return found.sort((a, b) => (a.member < b.member ? -1 : 1)).map(({ uuid }) => uuid);
  }

  /** The place of a session in the order of the index: its user's id, a byte 0, and its uuid. */
  #indexMember(uuid: string): string {
    return `${this.#options.state.records.get(uuid)?.userId}\0${uuid}`;
  }
}
