import type { Alarm, AlarmName, AlarmRef } from './alarms.ts';
import type { Outcome } from './outcomes.ts';
import { ACTIONS, type Action, type ActivityKind, type LiveStatus, type Patch, type SessionRecord, type Status } from './session.ts';

/** A record as a script left it, and the shard's Redis clock (ms) in that script. */
export interface Reading {
  readonly record: SessionRecord | null;
  readonly now: number;
}

export interface LiveReading extends Reading {
  readonly record: SessionRecord;
}

export type TouchResult =
  /** Recorded. `moved` names the alarms whose deadline moved out by more than the slack. */
  | ({ readonly kind: 'touched'; readonly moved: { readonly sleep: boolean; readonly delete: boolean } } & LiveReading)
  /** Not wanted awake: nothing written, the decision is the caller's. */
  | ({ readonly kind: 'dormant' } & Reading);

export interface Commit {
  readonly patch: Patch;
  /** Draw a new alarm number and mark the session as unarmed. */
  readonly alarms: boolean;
  /** Set `actionUntil` to this many ms from the script's now. */
  readonly lease?: number;
}

export type CommitResult =
  | ({ readonly kind: 'committed' } & LiveReading)
  /** Somebody wrote since; this is what stands now. */
  | ({ readonly kind: 'conflict' } & Reading);

/** Which sessions to list. Deleted ones only where `status` says so. */
export interface Filter {
  readonly userId?: string | undefined;
  readonly status?: Status | undefined;
}

export interface Page {
  readonly items: LiveReading[];
  readonly cursor: string | null;
}

/** A session as the indexes have it. */
export interface OwnedSession {
  readonly uuid: string;
  readonly userId: string;
}

/** A session whose alarms were drawn and perhaps never armed. */
export interface Mark {
  readonly uuid: string;
  readonly shard: number;
}

/** What a heartbeat found, in ms. */
export interface Beat {
  readonly now: number;
  /** How long no API had beaten before this one; 0 where that was no gap. */
  readonly gap: number;
  /** Whether this Redis has forgotten what it last acknowledged to this process: it came back with older data. */
  readonly rewound: boolean;
}

/** Whose pod a patrol looks at. */
export type PatrolTurn =
  | { readonly kind: 'next'; readonly uuid: string }
  /** Every session of the shard had its turn; the next one has it in so many ms. */
  | { readonly kind: 'wait'; readonly ms: number };

/** What a read of the patrol found: the pod as its record has it, in another state, or no answer. */
export const PATROL_FINDINGS = ['as-recorded', 'awake', 'asleep', 'gone', 'unread'] as const;
export type PatrolFinding = (typeof PATROL_FINDINGS)[number];

/** The truth. Each method is atomic per session. */
export interface SessionStore {
  /** Into how many shards the sessions are spread. */
  readonly shards: number;
  read(uuid: string): Promise<Reading>;
  /** Records activity on a session that is wanted awake, in one round trip. */
  touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult>;
  /** Writes `patch` if nobody wrote since `base` (`null`: if there is no record). */
  commit(uuid: string, base: SessionRecord | null, commit: Commit): Promise<CommitResult>;
  /** Extends the lease while `token` holds it. */
  renew(uuid: string, token: string, lease: number): Promise<Reading>;
  /** Takes the mark away if the alarm number is still `n`; false where a newer one was drawn or the session is gone. */
  unmark(uuid: string, n: number): Promise<boolean>;
  /** Marks older than `age` ms, oldest first, at most 100 of each shard. */
  marked(age: number): Promise<Mark[]>;
  /** @throws InvalidInput on a cursor that is not of this list */
  list(filter: Filter, limit: number, cursor: string | null): Promise<Page>;
  /**
   * Finds the sessions of these users in one shard that are not wanted gone, in pages. Redis serves no other call while it
   * reads a page, which takes a few ms at most. A session may be deleted or change its user before its page is used.
   *
   * @param userIds at most 250, each once
   */
  ofUsers(shard: number, userIds: readonly string[]): AsyncIterable<readonly OwnedSession[]>;
  /** How many sessions there are of each status but `deleted`. */
  count(): Promise<Record<LiveStatus, number>>;
  /** Forgets tombstones past their time; returns how many. */
  bury(): Promise<number>;
  /**
   * The next sessions of a shard in a walk that goes round and round, whoever asks.
   *
   * @param limit 1 to 1000; the last ones of a round may be fewer
   */
  walk(shard: number, limit: number): Promise<LiveReading[]>;
  /**
   * Takes the next turn of the patrol in a shard, which goes round and round, whoever asks.
   *
   * @param least how long before a session has its next turn, in ms
   */
  patrol(shard: number, least: number): Promise<PatrolTurn>;
  /** Up to `limit` live sessions, at random, of no more shards than it takes; fewer only where there are no more. */
  sample(limit: number): Promise<LiveReading[]>;
  /**
   * Looks whether what this process last wrote in a shard still stands there.
   *
   * @param open whether it takes pings, too; then this is the heartbeat that gaps are measured by
   */
  beat(shard: number, open: boolean): Promise<Beat>;
}

/**
 * BullMQ, or what behaves like it: an alarm rings when its worker's clock shows its time, which is one of Redis' clock, or a
 * few ms before.
 */
export interface AlarmClock {
  /** Adds what is missing; an alarm that exists is left as it is. */
  arm(uuid: string, n: number, alarms: readonly Alarm[]): Promise<void>;
  /** Moves an alarm out, leaves it where it already runs; false where there is none. */
  move(ref: AlarmRef, at: number): Promise<boolean>;
  /** Removes a session's alarms of these names and this number, best effort. */
  disarm(uuid: string, n: number, names: readonly AlarmName[]): Promise<void>;
  /** When the next sleep or delete of a shard is due, in ms of Redis' clock; null where none is set. */
  due(shard: number): Promise<number | null>;
  /** When the alarm will ring, in ms; 0 where it waits or runs already, null where there is none. */
  rings(ref: AlarmRef): Promise<number | null>;
}

/** What a process was told of policies. */
export interface ToldPolicies {
  /** `POLICIES_VERSION` */
  readonly version: number;
  /** `POLICIES`, as JSON. */
  readonly text: string;
}

/** Policies that are in force, or were. Of two, the higher version is the newer; of one version the higher `edition`. */
export interface PoliciesInForce extends ToldPolicies {
  /** Counts, from 1, the policies that were in force under this version: those that came without a version of their own. */
  readonly edition: number;
}

/** Orders policies in force: the newer has the higher rank. An integer, at most 1e15. */
export function rankOf({ version, edition }: PoliciesInForce): number {
  return version * 1_000_000 + edition;
}

export interface Agreed {
  /** The policies in force; null where no process ever announced any. */
  readonly policies: PoliciesInForce | null;
  /** The names of those that are tried beside them. */
  readonly shadows: readonly string[];
}

/** How processes that were told different things come to use the same policies. */
export interface PolicyAgreement {
  /**
   * Announces what this process was told, and answers what is in force. What is in force stays so until a process announces
   * a higher version, or claims other policies under the same one.
   *
   * @param told null: nothing
   * @param claim whether it replaces other policies of the same version, unless they replaced it before
   * @param heard what was in force when this process last asked: a Redis that came back with older data is told again
   * @param shadows none where this process says nothing of them
   */
  agree(told: ToldPolicies | null, claim: boolean, heard: PoliciesInForce | null, shadows: readonly string[]): Promise<Agreed>;
}

/** A bound on the calls per second, shared by all workers. */
export interface Pace {
  /** Takes the next place, if it is free now (0); else says how long until it is, in ms. */
  take(): Promise<number>;
}

/** The session-manager's calls. */
export const CALLS = [...ACTIONS, 'create', 'chat'] as const;
export type Call = (typeof CALLS)[number];

/** What became of a call to the session-manager: the HTTP statuses that it or a proxy usually answers, and no answer. */
export const CALL_RESULTS = [
  ...['200', '201', '202', '204', '400', '401', '403', '404', '409', '429', '500', '502', '503', '504'],
  ...['timeout', 'error'],
] as const;

/** A connection to the session-manager that is open, for one call. */
export interface PodConnection {
  /** Makes the call at once. Never throws: every end is an outcome, also that there is no connection. */
  call(action: Action, uuid: string, idempotencyKey: string): Promise<Outcome>;
  /** Gives the connection back without a call. */
  release(): void;
}

/** The session-manager's lifecycle calls. */
export interface PodControl {
  /**
   * Opens a connection, which may take as long as the time-out of a call: a call is decided on when it can be sent at once.
   * Never throws: where none can be opened, the call on it says so.
   *
   * @returns null in a process that is told to stop
   */
  open(): Promise<PodConnection | null>;
}
