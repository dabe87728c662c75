import {
  type ActivityKind,
  BEAT_STALE_MS,
  type Beat,
  type Commit,
  type CommitResult,
  type Filter,
  GAP_MS,
  type Ingest,
  InvalidInput,
  knownBeat,
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
  type Status,
  statusOf,
  TOMBSTONE_MS,
  type TouchResult,
} from '@sandman/core';
import { NO_POLICIES, type PolicyState } from './memory-policies.ts';
import type { Command } from './redis.ts';

type Stored = Omit<SessionRecord, 'ingest'>;

const BATCH = 100;
/** The same number as in the real store. */
const PATROL_TRIES = 50;
const PATROLLED = LIVE_STATUSES.filter((status) => status !== 'deleting');

/** A shard's keys. Values are replaced, never changed, so that a copy of the maps is a snapshot. */
export interface ShardState {
  records: Map<string, Stored>;
  unarmed: Map<string, number>;
  ingest: Ingest;
  /** When a heartbeat from the future was found, ms; 0: there was none, or an API has sent one since. */
  unheard: number;
  walk: string;
  /** Where the patrol is, and when each session had its last turn, ms. */
  patrolAt: { readonly index: number; readonly place: string };
  patrolled: Map<string, number>;
  policies: PolicyState;
}

export function emptyShard(): ShardState {
  return {
    records: new Map(),
    unarmed: new Map(),
    ingest: { beat: 0, floor: 0, lost: 0, rewound: 0, warning: 0 },
    unheard: 0,
    walk: '',
    patrolAt: { index: 0, place: '' },
    patrolled: new Map(),
    policies: NO_POLICIES,
  };
}

export function copyShard({ records, unarmed, patrolled, ...others }: ShardState): ShardState {
  return { ...others, records: new Map(records), unarmed: new Map(unarmed), patrolled: new Map(patrolled) };
}

/** A write of a record, as `MemoryStoreOptions.written` receives it. */
export interface Written {
  readonly before: Stored | null;
  readonly after: Stored;
  readonly at: number;
}

/** The clock of Redis, ms: `now` is rounded down, as in most scripts; `ceiling` is rounded up, as `touch` records an activity. */
interface Clock {
  readonly now: number;
  readonly ceiling: number;
}

export interface MemoryStoreOptions {
  readonly state: ShardState;
  readonly clock: () => Clock;
  /** Runs an effect on the state, as a command in Redis. */
  readonly command: Command;
  /** In percent of the waiting time. */
  readonly slack: number;
  readonly written?: (write: Written) => void;
  readonly gap?: (ingest: Ingest, length: number) => void;
}

/** Does in memory, on one shard, what the Lua scripts do. `conformance.test.ts` compares the two. */
export class MemoryStore implements SessionStore {
  readonly shards = 1;
  readonly #on: MemoryStoreOptions;
  readonly #memory: ShardMemory;
  #sampled = 0;

  constructor(options: MemoryStoreOptions) {
    this.#on = options;
    this.#memory = new ShardMemory(() => options.clock().now);
  }

  read(uuid: string): Promise<Reading> {
    return this.#on.command(() => this.#reading(uuid));
  }

  touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult> {
    return this.#acknowledged(() => {
      const stored = this.#on.state.records.get(uuid);
      if (stored?.wanted !== 'awake') return { kind: 'dormant', ...this.#reading(uuid) };
      const field = kind === 'user' ? 'lastActivity' : 'lastBackground';
      const { ceiling } = this.#on.clock();
      const when = Math.max(Math.min(at ?? ceiling, ceiling), stored[field]);
      const { sleepAfter, deleteAfter } = stored.policy;
      const moves = (anchor: number, after: number | null) => after !== null && when - anchor > (after * this.#on.slack) / 100;
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
      return { kind: 'touched', moved, ...this.#live(uuid) };
    });
  }

  commit(uuid: string, base: SessionRecord | null, { patch, alarms, lease = 0 }: Commit): Promise<CommitResult> {
    return this.#acknowledged(() => {
      const { state, clock } = this.#on;
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
      return { kind: 'committed', ...this.#live(uuid) };
    });
  }

  renew(uuid: string, token: string, lease: number): Promise<Reading> {
    return this.#on.command(() => {
      const stored = this.#on.state.records.get(uuid);
      if (stored?.token === token) this.#write(stored, { ...stored, actionUntil: this.#on.clock().now + lease });
      return this.#reading(uuid);
    });
  }

  unmark(uuid: string, n: number): Promise<boolean> {
    return this.#on.command(() => {
      const stored = this.#on.state.records.get(uuid);
      if (stored && stored.n !== n) return false;
      this.#on.state.unarmed.delete(uuid);
      return stored !== undefined;
    });
  }

  marked(age: number): Promise<string[]> {
    return this.#on.command(() => {
      const limit = this.#on.clock().now - age;
      const due = [...this.#on.state.unarmed].filter(([, at]) => at <= limit).sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
      return due.slice(0, BATCH).map(([uuid]) => uuid);
    });
  }

  list(filter: Filter, limit: number, cursor: string | null): Promise<Page> {
    return this.#on.command(() => {
      const match = /^(\d{1,4}):(|.+\0[A-Za-z0-9_-]{1,64})$/s.exec(cursor === null ? '0:' : Buffer.from(cursor, 'base64url').toString());
      if (match?.[1] !== '0') throw new InvalidInput('cursor', 'must be the nextCursor of an earlier answer');
      const uuids = this.#uuids(filter).filter((uuid) => this.#place(uuid) > match[2]!);
      const page = uuids.slice(0, limit);
      const more = page.length === limit ? Buffer.from(`0:${this.#place(page.at(-1)!)}`).toString('base64url') : null;
      return { items: page.map((uuid) => this.#live(uuid)), cursor: more };
    });
  }

  async *ofUsers(_shard: number, userIds: readonly string[]): AsyncGenerator<readonly OwnedSession[]> {
    yield await this.#on.command(() => {
      const found = userIds.flatMap((userId) => this.#uuids({ userId }).map((uuid) => this.#live(uuid).record));
      return found.filter(({ wanted }) => wanted !== 'gone').map(({ uuid, userId }) => ({ uuid, userId }));
    });
  }

  count(): Promise<Record<LiveStatus, number>> {
    return this.#on.command(() => {
      const entries = LIVE_STATUSES.map((status) => [status, this.#uuids({ status }).length]);
      return Object.fromEntries(entries) as Record<LiveStatus, number>;
    });
  }

  bury(): Promise<number> {
    return this.#on.command(() => {
      const { records } = this.#on.state;
      const limit = this.#on.clock().now - TOMBSTONE_MS;
      const due = [...records.values()].filter(({ deletedAt }) => deletedAt > 0 && deletedAt <= limit);
      for (const { uuid } of due) records.delete(uuid);
      return due.length;
    });
  }

  walk(_shard: number, limit: number): Promise<LiveReading[]> {
    return this.#on.command(() => {
      const { state } = this.#on;
      const page = this.#uuids({})
        .filter((uuid) => this.#place(uuid) > state.walk)
        .slice(0, limit);
      state.walk = page.length === limit ? this.#place(page.at(-1)!) : '';
      return page.map((uuid) => this.#live(uuid));
    });
  }

  patrol(_shard: number, least: number): Promise<PatrolTurn> {
    return this.#on.command(() => {
      const { state, clock } = this.#on;
      const { now } = clock();
      state.patrolled = new Map([...state.patrolled].filter(([, at]) => at > now - least && at <= now));
      let { index, place } = state.patrolAt;
      let uuid: string | undefined;
      for (let tries = 0, rounds = 0; tries < PATROL_TRIES && rounds < 2 && uuid === undefined; tries++) {
        const next = this.#uuids({ status: PATROLLED[index]! }).find((one) => this.#place(one) > place);
        if (next !== undefined) {
          place = this.#place(next);
          if (!state.patrolled.has(next)) uuid = next;
        } else {
          place = '';
          index = (index + 1) % PATROLLED.length;
          if (index === 0) rounds++;
        }
      }
      state.patrolAt = { index, place };
      if (uuid !== undefined) {
        state.patrolled.set(uuid, now);
        return { kind: 'next', uuid };
      }
      const first = Math.min(...state.patrolled.values());
      return { kind: 'wait', ms: Number.isFinite(first) ? Math.max(1, first + least - now) : least };
    });
  }

  sample(limit: number): Promise<LiveReading[]> {
    return this.#on.command(() => {
      const uuids = PATROLLED.flatMap((status) => this.#uuids({ status }));
      const from = this.#sampled++ % Math.max(1, uuids.length);
      return [...uuids.slice(from), ...uuids.slice(0, from)].slice(0, limit).map((uuid) => this.#live(uuid));
    });
  }

  async beat(_shard: number, open: boolean): Promise<Beat> {
    if (open && this.#memory.now === 0) await this.#beaten(0);
    return this.#beaten(open ? this.#memory.now : 0);
  }

  async #beaten(sentAt: number): Promise<Beat> {
    const { witness } = this.#memory;
    const found = await this.#on.command(() => this.#beat(witness, sentAt));
    this.#memory.heard(found.now);
    if (found.rewound) this.#memory.forget();
    return found;
  }

  #beat({ uuid, rev, n }: ShardMemory['witness'], sentAt: number): Beat {
    const { state, clock } = this.#on;
    const { now } = clock();
    const fromTheFuture = state.ingest.beat > now;
    const { lost, rewound: before, warning } = state.ingest;
    const [beat, floor] = fromTheFuture ? [0, now] : [state.ingest.beat, state.ingest.floor];
    if (fromTheFuture) state.unheard = now;
    const stored = state.records.get(uuid);
    const rewound = (stored?.rev ?? 0) < rev || (stored?.n ?? 0) < n || (rev > 0 && stored?.rev === rev && stored.n !== n);
    const open = now - sentAt <= BEAT_STALE_MS;
    const silence = beat > 0 && now - beat > GAP_MS ? now - beat : 0;
    const gap = !open ? 0 : state.unheard > 0 ? Math.max(now - state.unheard, GAP_MS + 1) : silence;
    if (open) state.unheard = 0;
    state.ingest = {
      beat: open ? Math.max(beat, Math.min(now, sentAt)) : beat,
      floor: gap > 0 || rewound ? now : floor,
      lost: lost + gap,
      rewound: rewound ? now : before,
      warning,
    };
    if (gap > 0) this.#on.gap?.(state.ingest, gap);
    return { now, gap, rewound };
  }

  async #acknowledged<T extends TouchResult | CommitResult>(effect: () => T): Promise<T> {
    const result = await this.#on.command(effect);
    if (result.record && (result.kind === 'touched' || result.kind === 'committed')) this.#memory.wrote(result.record);
    return result;
  }

  #write(before: Stored | null, changed: Stored): void {
    const after = { ...changed, rev: (before?.rev ?? 0) + 1 };
    this.#on.state.records.set(after.uuid, after);
    this.#on.written?.({ before, after, at: this.#on.clock().now });
  }

  #reading(uuid: string): Reading {
    const { state, clock } = this.#on;
    const stored = state.records.get(uuid);
    const { now } = clock();
    const ingest = { ...state.ingest, beat: knownBeat(state.ingest.beat, now) };
    return { now, record: stored ? { ...stored, ingest } : null };
  }

  #live(uuid: string): LiveReading {
    return this.#reading(uuid) as LiveReading;
  }

  #uuids({ userId, status }: Filter): string[] {
    const fits = (stored: Stored) => {
      const shown: Status = statusOf(stored);
      return (userId === undefined || stored.userId === userId) && (status ? shown === status : shown !== 'deleted');
    };
    const found = [...this.#on.state.records.values()].filter(fits).map(({ uuid }) => ({ uuid, place: this.#place(uuid) }));
    return found.sort((a, b) => (a.place < b.place ? -1 : 1)).map(({ uuid }) => uuid);
  }

  /** The place of a session in the order of the index: its user's id, a byte 0, and its uuid. */
  #place(uuid: string): string {
    return `${this.#on.state.records.get(uuid)?.userId}\0${uuid}`;
  }
}
