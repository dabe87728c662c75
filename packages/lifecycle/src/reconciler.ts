import {
  type Action,
  type AlarmEnd,
  type AlarmName,
  type AlarmRef,
  BEAT_MS,
  type Bounds,
  begin,
  type Cause,
  type Commit,
  type CommitResult,
  changePolicy,
  type Decision,
  deadlines,
  end,
  isAwaited,
  isServed,
  type LiveReading,
  look,
  type Outcome,
  type Patch,
  type PodConnection,
  type PodControl,
  type Reading,
  restingPlace,
  type SessionRecord,
  type SessionStore,
  suspect,
  takeOver,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import type { Circuit } from './circuit.ts';
import type { Permits, Purpose } from './permits.ts';
import type { Policies } from './policies-in-use.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { Surroundings } from './surroundings.ts';

/** A call's lease and how often it is renewed while the call runs, in ms. */
const LEASE_MS = 8_000;
const RENEW_MS = 2_500;
/** If a commit took longer than this, its call is not sent and is decided again, in ms: the process was paused meanwhile. */
const STALE_MS = 1_000;
/** How soon an alarm rings again after its handling failed, in ms. */
const AFTER_ERROR_MS = 1_000;
/**
 * If the next step is due within this time, in ms, the handler waits for it. It waits a few times only, so that a session with
 * constant pings does not keep its alarm running.
 */
const SHORT_MS = 20;
const SHORT_WAITS = 4;
/** The number of failures in a row from which a call counts as a retry, which must not delay others; for wakes and for others. */
const RETRIES = { wake: 5, other: 2 };
/** How soon, on average, a retry tries again when too many are under way, in ms. */
const CROWDED_MS = 500;
/** A decision that waited longer than this for a permit or a connection is made again, in ms. */
const FRESH_MS = 100;

const COMPLETED: AlarmEnd = { kind: 'completed' };

const NOT_BELIEVED: Outcome = {
  kind: 'transient',
  sent: true,
  error: 'HTTP 404, as for other sessions: is this the right session-manager?',
};

/** A reading, with the times of its request and its answer by `surroundings.elapsed()`. */
interface Seen extends Reading {
  readonly askedAt: number;
  readonly at: number;
}

/** A decision that is carried out by a commit alone. */
type Step = Exclude<Decision, { kind: 'over' | 'rest' | 'act' }>;

/** A decision that leads to a call, at once or after a commit. */
type Pursuit = Extract<Decision, { kind: 'want' | 'act' }>;

/** Returns the call that a decision leads to now; null where it leads to none now. */
function callOf(record: SessionRecord, decision: Decision, now: number): Action | null {
  const then = decision.kind === 'want' ? look({ ...record, ...decision.patch }, now) : decision;
  return then.kind === 'act' ? then.action : null;
}

/** Returns what the permit for a call is for. */
function purposeOf(action: Action, record: SessionRecord): Purpose {
  const purpose = action === 'wake' || (action === 'status' && isAwaited(record)) ? 'wake' : 'other';
  return record.failures >= RETRIES[purpose] ? 'retry' : purpose;
}

/** Receives what is counted and logged. */
export interface Observer {
  /** A deadline has passed without activity, and the session is to sleep or to be deleted. */
  decided(action: 'sleep' | 'delete', uuid: string, cause: Cause): void;
  /** A call ended. @param cause the record's cause when the call began */
  acted(action: Action, outcome: Outcome, seconds: number, uuid: string, cause: Cause): void;
  /** A sleep or delete because of a deadline was done this many ms after the deadline. */
  late(alarm: AlarmName, ms: number): void;
  /** An alarm rang before there was anything to do. */
  early(alarm: AlarmName): void;
  failed(error: unknown, uuid: string): void;
}

export interface ReconcilerOptions {
  readonly store: SessionStore;
  readonly policies: Pick<Policies, 'successor' | 'rank'>;
  /** The dry run, in which no call may change a pod; null: there is none. */
  readonly rehearsal: Rehearsal | null;
  readonly arming: Arming;
  readonly pods: PodControl;
  readonly permits: Permits;
  readonly circuit: Circuit;
  /** Returns whether the session-manager knows other sessions than this one; true where there is none. Never rejects. */
  readonly othersAreFound: (uuid: string) => Promise<boolean>;
  readonly bounds: Bounds;
  readonly observer: Observer;
  /** Queues the warning that the session will sleep at `sleepAt` (ms) if no activity arrives. */
  readonly warn: (record: SessionRecord, sleepAt: number) => Promise<void>;
  readonly surroundings: Surroundings;
}

/** Handles alarms: reads the record, decides, and does one step after the other. Leaves no record without its alarm. */
export class Reconciler {
  readonly #on: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#on = options;
  }

  /** Handles one alarm. Never throws: on any failure the alarm rings again. */
  async handle(alarm: AlarmRef): Promise<AlarmEnd> {
    try {
      return await this.#handle(alarm);
    } catch (error) {
      this.#on.observer.failed(error, alarm.uuid);
      return { kind: 'again', ms: AFTER_ERROR_MS };
    }
  }

  async #handle(alarm: AlarmRef): Promise<AlarmEnd> {
    const { uuid, name, n } = alarm;
    const { observer, surroundings } = this.#on;
    let seen = await this.#read(uuid);
    let warned = false;
    for (let waits = 0; ; ) {
      const { record } = seen;
      // An older number is void: the newer alarms are armed already, or their mark makes a worker arm them.
      if (!record || n < record.n) return COMPLETED;
      const successor = record.wanted === 'gone' ? null : this.#on.policies.successor(record);
      if (successor && this.#on.rehearsal) {
        // A dry run writes nothing, so it goes on as if the new policy had been written.
        seen = { ...seen, record: { ...record, policy: successor, policyRank: this.#on.policies.rank } };
        continue;
      }
      if (successor) {
        // The new alarms replace this one.
        const renewed = await this.#commit(record, changePolicy(successor, this.#on.policies.rank, this.#now(seen)));
        if (renewed.kind === 'committed') await this.#on.arming.arm(renewed, record, name);
        seen = renewed;
        continue;
      }
      const now = this.#now(seen);
      const decision = look(record, now);
      if (decision.kind === 'over') return COMPLETED;
      if (decision.kind === 'rest') {
        if (decision.until === null || (n === record.n && isServed(record, name, now))) return COMPLETED;
        if (decision.until <= now + SHORT_MS && waits++ < SHORT_WAITS) {
          await surroundings.pause(decision.until - now);
          seen = await this.#read(uuid);
          continue;
        }
        // An alarm that only waits for a heartbeat did not ring early.
        if (record.action === '' && !warned && decision.until > now + BEAT_MS) observer.early(name);
        return { kind: 'again', ms: restingPlace(record, name, decision.until, now) - now };
      }
      const call = callOf(record, decision, now);
      if (this.#on.rehearsal && (decision.kind === 'want' || (call !== null && call !== 'status'))) {
        return { kind: 'again', ms: await this.#on.rehearsal.stop(record, decision, call, now) };
      }
      // The warning is queued before the commit that records it: a second warning is better than none.
      if (decision.kind === 'warn') {
        await this.#on.warn(record, decision.sleepAt);
        warned = true;
      }
      const next =
        decision.kind === 'want' || decision.kind === 'act'
          ? await this.#pursue({ ...seen, record }, decision, alarm)
          : await this.#decide(record, decision, now);
      if (typeof next === 'number') return { kind: 'again', ms: next };
      seen = next;
    }
  }

  async #read(uuid: string): Promise<Seen> {
    const { store, surroundings } = this.#on;
    const askedAt = surroundings.elapsed();
    return { ...(await store.read(uuid)), askedAt, at: surroundings.elapsed() };
  }

  async #commit(base: SessionRecord, commit: Commit): Promise<Seen & CommitResult> {
    const { store, surroundings } = this.#on;
    const askedAt = surroundings.elapsed();
    return { ...(await store.commit(base.uuid, base, commit)), askedAt, at: surroundings.elapsed() };
  }

  /** Returns the time of Redis' clock, in ms, never ahead of it. */
  #now({ now, at }: Seen): number {
    return now + Math.floor(this.#on.surroundings.elapsed() - at);
  }

  /** Returns the time of Redis' clock, in ms, never behind it: events of the past lie before it. */
  #lateNow({ now, askedAt }: Seen): number {
    return now + Math.ceil(this.#on.surroundings.elapsed() - askedAt);
  }

  async #decide(record: SessionRecord, decision: Step, now: number): Promise<Seen> {
    const result = await this.#commit(record, { patch: this.#patchOf(record, decision, now), alarms: false });
    if (result.kind === 'committed') this.#observeDecision(decision, result.record);
    return result;
  }

  #patchOf(record: SessionRecord, decision: Step, now: number): Patch {
    const { bounds } = this.#on;
    switch (decision.kind) {
      case 'want':
        return decision.patch;
      case 'warn':
        return { warnedOf: decision.sleepAt };
      case 'suspect':
        return suspect(record, now, bounds);
      case 'take-over':
        return takeOver(record, now, bounds);
    }
  }

  #observeDecision({ kind }: Pick<Decision, 'kind'>, { wanted, uuid, cause }: SessionRecord): void {
    if (kind === 'want') this.#on.observer.decided(wanted === 'gone' ? 'delete' : 'sleep', uuid, cause);
  }

  /**
   * Makes one call to the session-manager, and holds the record's lock (its token) from the call's commit to its result. A
   * decision to want something else is written in that same commit.
   *
   * @returns the record after the last commit or read, or in how many ms to try again: the circuit is open, too many retries
   * are under way, or the process is stopping
   */
  async #pursue(seen: Seen & LiveReading, decision: Pursuit, ringing: AlarmRef): Promise<Seen | number> {
    const { permits, circuit } = this.#on;
    const action = callOf(seen.record, decision, this.#now(seen));
    const wait = action === null ? 0 : circuit.wait(action, seen.record.uuid);
    // If the call must wait, the decision is still written, so that callers see the new status.
    if (action === null || wait > 0) return decision.kind === 'want' ? this.#decide(seen.record, decision, this.#now(seen)) : wait;
    // Gets a permit and a connection before the commit, because a call that waited for them after its commit would be stale.
    const release = await permits.acquire(purposeOf(action, seen.record));
    if (!release) return CROWDED_MS * (0.5 + this.#on.surroundings.chance());
    const connection = await this.#on.pods.open();
    if (!connection) {
      release();
      return AFTER_ERROR_MS;
    }
    try {
      let { record } = seen;
      if (this.#now(seen) - seen.now > FRESH_MS) {
        // The decision waited for over 100 ms and may be wrong by now, so decide again on a fresh record. If the result is the
        // same, the call is made with the permit at hand.
        const fresh = await this.#read(record.uuid);
        const again = fresh.record && look(fresh.record, this.#now(fresh));
        if (!fresh.record || again?.kind !== decision.kind || callOf(fresh.record, again, this.#now(fresh)) !== action) return fresh;
        record = fresh.record;
        decision = again;
      }
      if (!circuit.enter(action, record.uuid)) return circuit.wait(action, record.uuid);
      return await this.#call(connection, record, decision, action, ringing);
    } finally {
      connection.release();
      release();
    }
  }

  async #call(connection: PodConnection, record: SessionRecord, decision: Pursuit, action: Action, ringing: AlarmRef): Promise<Seen> {
    const { bounds, surroundings, circuit } = this.#on;
    const { uuid, pod: podBefore } = record;
    const token = surroundings.id();
    const wanted = decision.kind === 'want' ? decision.patch : {};
    const begun = await this.#commit(record, { patch: { ...wanted, ...begin(action, token) }, alarms: false, lease: LEASE_MS });
    // A conflict that shows this call's token was caused by this commit itself, sent again after a reconnect.
    if (begun.record?.token !== token) return begun;
    const seen = { ...begun, record: begun.record };
    const committedAt = begun.askedAt;
    this.#observeDecision(decision, seen.record);
    if (surroundings.elapsed() - committedAt > STALE_MS) {
      return await this.#settle(seen, ringing, () => ({ action: '', token: '', actionUntil: 0, pod: podBefore }));
    }
    const outcome = circuit.judge(uuid, await this.#send(connection, seen.record, action));
    if (outcome.kind === 'done') this.#observeLateness({ ...record, ...wanted }, action, this.#now(seen));
    const chance = surroundings.chance();
    // The time asleep and a doubt count from a time that is not before their real beginning. A status read is dated no later
    // than it really was.
    const clock = action === 'status' ? this.#now : this.#lateNow;
    return await this.#settle(seen, ringing, (current) =>
      end(current.record, { action, outcome, sentAt: begun.now, podBefore, chance }, clock.call(this, current), bounds),
    );
  }

  /** Reports how late an idle sleep or a delete at its deadline was carried out, in ms after the deadline. */
  #observeLateness(record: SessionRecord, action: Action, now: number): void {
    const { sleepAt, deleteAt } = deadlines({ ...record, wanted: record.pod === 'asleep' ? 'asleep' : 'awake' });
    if (action === 'sleep' && record.cause === 'idle' && sleepAt !== null) this.#on.observer.late('sleep', now - sleepAt);
    if (action === 'delete' && record.cause === 'delete-due' && deleteAt !== null) this.#on.observer.late('delete', now - deleteAt);
  }

  async #send(connection: PodConnection, { uuid, token, cause, missingSince }: SessionRecord, action: Action): Promise<Outcome> {
    const { store, observer, surroundings } = this.#on;
    const sentAt = surroundings.elapsed();
    const stop = surroundings.every(RENEW_MS, () => {
      store.renew(uuid, token, LEASE_MS).catch((error) => observer.failed(error, uuid));
    });
    try {
      const answer = await connection.call(action, uuid, token);
      // A second 404 would end the session. If the session-manager knows no other session either, its address may be wrong.
      const isBelieved = answer.kind !== 'gone' || missingSince === 0 || (await this.#on.othersAreFound(uuid));
      const outcome: Outcome = isBelieved ? answer : NOT_BELIEVED;
      observer.acted(action, outcome, (surroundings.elapsed() - sentAt) / 1_000, uuid, cause);
      return outcome;
    } finally {
      stop();
    }
  }

  /**
   * Applies a result to the record as it is now, and tries again when another process writes in between. Arms the record's
   * alarms, unless those that are set suffice.
   */
  async #settle(begun: Seen & LiveReading, ringing: AlarmRef, patchOf: (current: Seen & LiveReading) => Patch): Promise<Seen> {
    const { arming } = this.#on;
    const { token } = begun.record;
    for (let current: Seen = begun; ; ) {
      const { record } = current;
      // Another worker has taken over, or this commit was sent twice and is applied already. Nothing is left to do here.
      if (record?.token !== token) return current;
      const patch = patchOf({ ...current, record });
      const alarms = ringing.n !== record.n || !isServed({ ...record, ...patch }, ringing.name, this.#now(current));
      const result = await this.#commit(record, { patch, alarms });
      if (result.kind === 'committed') {
        if (alarms) await arming.arm(result, record, ringing.name);
        return result;
      }
      current = result;
    }
  }
}
