import type { Alarm, AlarmName, AlarmRef } from './alarms.ts';
import type { Outcome } from './outcomes.ts';
import { ACTIONS, type Action, type ActivityKind, type LiveStatus, type Patch, type SessionRecord, type Status } from './session.ts';

/** A record as a Lua script returned it, and the shard's Redis clock (ms) at that time. */
export interface Reading {
  readonly record: SessionRecord | null;
  readonly now: number;
}

export interface LiveReading extends Reading {
  readonly record: SessionRecord;
}

export type TouchResult =
  /** The activity was recorded. `moved` says which deadlines moved later by more than the slack. */
  | ({ readonly kind: 'touched'; readonly moved: { readonly sleep: boolean; readonly delete: boolean } } & LiveReading)
  /** The session is not wanted awake: nothing was written, and the caller decides. */
  | ({ readonly kind: 'dormant' } & Reading);

export interface Commit {
  readonly patch: Patch;
  /** Whether to draw a new alarm number and mark the session as unarmed. */
  readonly alarms: boolean;
  /** The lease of the call in flight, in ms: `actionUntil` becomes the time of the write plus this. */
  readonly lease?: number;
}

export type CommitResult =
  | ({ readonly kind: 'committed' } & LiveReading)
  /** Another process wrote since; the reading is the record as it is now. */
  | ({ readonly kind: 'conflict' } & Reading);

/** Which sessions to list. Deleted ones are listed only where `status` is `deleted`. */
export interface Filter {
  readonly userId?: string | undefined;
  readonly status?: Status | undefined;
}

export interface Page {
  readonly items: LiveReading[];
  readonly cursor: string | null;
}

/** A session as the index of users has it. */
export interface OwnedSession {
  readonly uuid: string;
  readonly userId: string;
}

/** What a heartbeat found, in ms. */
export interface Heartbeat {
  readonly now: number;
  /** The length of the gap that this heartbeat ended; 0 where there was none. */
  readonly gap: number;
  /** Whether the last write that Redis acknowledged to this process is missing: Redis came back with older data. */
  readonly rewound: boolean;
}

/** What the patrol does next in a shard. */
export type PatrolTurn =
  | { readonly kind: 'next'; readonly uuid: string }
  /** Every session of the shard had its turn; the next turn is in `ms`. */
  | { readonly kind: 'wait'; readonly ms: number };

/** What a status read of the patrol found: the pod as its record has it, in another state, or no answer. */
export const PATROL_FINDINGS = ['as-recorded', 'awake', 'asleep', 'gone', 'unread'] as const;
export type PatrolFinding = (typeof PATROL_FINDINGS)[number];

/** Stores the records, which are the truth. Each method is atomic per session. */
export interface SessionStore {
  /** The number of shards. */
  readonly shards: number;
  read(uuid: string): Promise<Reading>;
  /** Records activity of a session that is wanted awake, in one round trip. @param at ms; null: now */
  touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult>;
  /** Writes a commit if no other process has written since `base` was read (`null`: if there is no record). */
  commit(uuid: string, base: SessionRecord | null, commit: Commit): Promise<CommitResult>;
  /** Extends the lease to `lease` ms from now, while the call in flight has this token. */
  renew(uuid: string, token: string, lease: number): Promise<Reading>;
  /** Removes the mark if the alarm number is still `n`; false where a newer one was drawn or the session is gone. */
  unmark(uuid: string, n: number): Promise<boolean>;
  /** Returns the uuids of marks that are older than `age` ms, oldest first, at most 100 of each shard. */
  marked(age: number): Promise<string[]>;
  /** @throws InvalidInput on a cursor that is not of this list */
  list(filter: Filter, limit: number, cursor: string | null): Promise<Page>;
  /**
   * Finds the sessions of these users in one shard that are not wanted gone, in pages. Redis serves no other call while it
   * reads a page, which takes a few ms at most. A session may be deleted or change its user before its page is used.
   *
   * @param userIds at most 250, each once
   */
  ofUsers(shard: number, userIds: readonly string[]): AsyncIterable<readonly OwnedSession[]>;
  /** Counts the sessions of each status but `deleted`. */
  count(): Promise<Record<LiveStatus, number>>;
  /** Removes tombstones that are older than {@link TOMBSTONE_MS}; returns how many. */
  removeTombstones(): Promise<number>;
  /**
   * Returns the next sessions of a shard. The walk starts again at its end, and all processes share one position in it.
   *
   * @param limit 1 to 1000; the last page of a round may be shorter
   */
  walk(shard: number, limit: number): Promise<LiveReading[]>;
  /**
   * Takes the next turn of the patrol in a shard. All processes share its turns.
   *
   * @param least the least time between two turns of one session, in ms
   */
  patrol(shard: number, least: number): Promise<PatrolTurn>;
  /** Returns up to `limit` live sessions at random, from as few shards as possible; fewer only where there are no more. */
  sample(limit: number): Promise<LiveReading[]>;
  /**
   * Checks whether the last write of this process is still in a shard.
   *
   * @param open whether this process takes pings; then this is also the heartbeat by which gaps are measured
   */
  heartbeat(shard: number, open: boolean): Promise<Heartbeat>;
}

/**
 * Sets alarms. BullMQ implements it, and tests have their own. The time of an alarm is one of Redis' clock; the alarm rings
 * when the clock of its worker shows that time, or a few ms before.
 */
export interface AlarmClock {
  /** Adds the alarms that do not exist yet, and leaves the others as they are. */
  arm(uuid: string, n: number, alarms: readonly Alarm[]): Promise<void>;
  /** Moves an alarm to a later time, and leaves one that is due or runs as it is; false where there is none. */
  move(ref: AlarmRef, at: number): Promise<boolean>;
  /** Removes a session's alarms of these names and this number. One that runs may remain. */
  disarm(uuid: string, n: number, names: readonly AlarmName[]): Promise<void>;
  /** Returns when the next `sleep` or `delete` alarm of a shard is due, in ms of Redis' clock; null where none is set. */
  due(shard: number): Promise<number | null>;
  /** Returns when the alarm will ring, in ms; 0 where it waits for a worker or runs, null where there is none. */
  rings(ref: AlarmRef): Promise<number | null>;
}

/** The policies that a process announces, from its environment. */
export interface AnnouncedPolicies {
  /** `POLICIES_VERSION` */
  readonly version: number;
  /** `POLICIES`, as JSON. */
  readonly text: string;
}

/** Policies that are or were in force. A higher version is newer; within one version, a higher `edition` is. */
export interface PoliciesInForce extends AnnouncedPolicies {
  /** Counts, from 1, the different policies that were in force under this version, announced without raising it. */
  readonly edition: number;
}

/** Returns a rank that orders policies in force: newer ones have a higher rank. An integer, at most 1e15. */
export function rankOf({ version, edition }: PoliciesInForce): number {
  return version * 1_000_000 + edition;
}

export interface AgreedPolicies {
  /** The policies in force; null where no process ever announced any. */
  readonly policies: PoliciesInForce | null;
  /** The names of the shadow policies. */
  readonly shadows: readonly string[];
}

/** Makes processes with different `POLICIES` in their environments use the same policies. */
export interface PolicyAgreement {
  /**
   * Announces the policies of this process, and returns the policies in force. These stay in force until a process announces
   * a higher version, or replaces them with other policies of the same version.
   *
   * @param announced the policies to announce; null: none
   * @param replaces whether these replace other policies of the same version, unless they were in force under it before
   * @param lastReceived the policies in force that this process received last, for a Redis that came back with older data; null: none
   * @param shadows names of the shadow policies to announce; empty: leaves those that others announced
   */
  agree(
    announced: AnnouncedPolicies | null,
    replaces: boolean,
    lastReceived: PoliciesInForce | null,
    shadows: readonly string[],
  ): Promise<AgreedPolicies>;
}

/** Limits the calls per second of all workers together. */
export interface RateLimiter {
  /** Takes a place for one call and returns 0, or returns in how many ms a place will be free. */
  take(): Promise<number>;
}

/** All calls to the session-manager. */
export const CALL_NAMES = [...ACTIONS, 'create', 'chat'] as const;
export type CallName = (typeof CALL_NAMES)[number];

/** Results of calls to the session-manager: the HTTP statuses that it or a proxy usually answers, and two for no answer. */
export const CALL_RESULTS = [
  ...['200', '201', '202', '204', '400', '401', '403', '404', '409', '429', '500', '502', '503', '504'],
  ...['timeout', 'error'],
] as const;

/** An open connection to the session-manager, for one call. */
export interface PodConnection {
  /** Makes the call at once. Never throws: every result is an outcome, also a missing connection. */
  call(action: Action, uuid: string, idempotencyKey: string): Promise<Outcome>;
  /** Gives the connection back without a call. */
  release(): void;
}

/** Makes the lifecycle calls to the session-manager. */
export interface PodControl {
  /**
   * Opens a connection, which may take as long as the time-out of a call. Callers open it first and decide on the call then,
   * so that the call can be sent at once. Never throws: if no connection can be opened, the call on it returns that outcome.
   *
   * @returns null in a process that was told to stop
   */
  open(): Promise<PodConnection | null>;
}
