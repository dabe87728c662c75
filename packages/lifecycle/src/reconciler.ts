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
/** A call that was not sent this long after its commit is decided anew, in ms: its process was paused meanwhile. */
const STALE_MS = 1_000;
/** How soon an alarm rings again whose handling failed, in ms. */
const AFTER_ERROR_MS = 1_000;
/** What is due so soon is waited for, in ms: a few times, so that nobody who pings all the while keeps an alarm running. */
const SHORT_MS = 20;
const SHORT_WAITS = 4;
/** From how many failures in a row on a call counts as a retry, which must not hold up others; of a wake, and else. */
const RETRIES = { wake: 5, other: 2 };
/** How soon a retry comes again where too many are under way, on average, in ms. */
const CROWDED_MS = 500;
/** A decision that has stood in line for longer is made again, in ms. */
const FRESH_MS = 100;

const COMPLETED: AlarmEnd = { kind: 'completed' };

const NOT_BELIEVED: Outcome = {
  kind: 'transient',
  sent: true,
  error: 'HTTP 404, as for other sessions: is this the right session-manager?',
};

/** A reading, when it was asked for and when it came, as `surroundings.elapsed()` has it. */
interface Seen extends Reading {
  readonly askedAt: number;
  readonly at: number;
}

/** What is a commit and no call. */
type Step = Exclude<Decision, { kind: 'over' | 'rest' | 'act' }>;

/** What asks for a call, at once or after a commit. */
type Pursuit = Extract<Decision, { kind: 'want' | 'act' }>;

/** The call that a decision comes to; null where it comes to none at once. */
function callOf(record: SessionRecord, decision: Decision, now: number): Action | null {
  const then = decision.kind === 'want' ? look({ ...record, ...decision.patch }, now) : decision;
  return then.kind === 'act' ? then.action : null;
}

/** What a permit is for. */
function purposeOf(action: Action, record: SessionRecord): Purpose {
  const purpose = action === 'wake' || (action === 'status' && isAwaited(record)) ? 'wake' : 'other';
  return record.failures >= RETRIES[purpose] ? 'retry' : purpose;
}

/** What is worth counting, and telling. */
export interface Observer {
  /** Something else is wanted from now on, because nobody came. */
  decided(action: 'sleep' | 'delete', uuid: string, cause: Cause): void;
  /** @param cause why that is wanted which the call is for */
  acted(action: Action, outcome: Outcome, seconds: number, uuid: string, cause: Cause): void;
  /** What was decided on a deadline was done this many ms after it. */
  late(alarm: AlarmName, ms: number): void;
  /** An alarm rang before there was anything to do. */
  early(alarm: AlarmName): void;
  failed(error: unknown, uuid: string): void;
}

export interface ReconcilerOptions {
  readonly store: SessionStore;
  readonly policies: Pick<Policies, 'successor' | 'rank'>;
  /** Where nothing may be done; null: everything is. */
  readonly rehearsal: Rehearsal | null;
  readonly arming: Arming;
  readonly pods: PodControl;
  readonly permits: Permits;
  readonly circuit: Circuit;
  /** Whether the session-manager knows other sessions than this one, as far as there are any. Never rejects. */
  readonly othersAreFound: (uuid: string) => Promise<boolean>;
  readonly bounds: Bounds;
  readonly observer: Observer;
  /** Sees to it that somebody is told that the session will fall asleep at `sleepAt` (ms), unless somebody comes first. */
  readonly warn: (record: SessionRecord, sleepAt: number) => Promise<void>;
  readonly surroundings: Surroundings;
}

/** The handler of an alarm: looks, takes one step after the other, and leaves no record without its alarm. */
export class Reconciler {
  readonly #on: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#on = options;
  }

  /** Never throws: whatever fails, the alarm rings again. */
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
      // An older number is void: whoever drew the newer one has armed it, or its mark will be found.
      if (!record || n < record.n) return COMPLETED;
      const successor = record.wanted === 'gone' ? null : this.#on.policies.successor(record);
      if (successor && this.#on.rehearsal) {
        // As if it were written.
        seen = { ...seen, record: { ...record, policy: successor, policyRank: this.#on.policies.rank } };
        continue;
      }
      if (successor) {
        // Its new alarms take over from this one.
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
        // What only waits for a heartbeat rang in time.
        if (record.action === '' && !warned && decision.until > now + BEAT_MS) observer.early(name);
        return { kind: 'again', ms: restingPlace(record, name, decision.until, now) - now };
      }
      const call = callOf(record, decision, now);
      if (this.#on.rehearsal && (decision.kind === 'want' || (call !== null && call !== 'status'))) {
        return { kind: 'again', ms: await this.#on.rehearsal.stop(record, decision, call, now) };
      }
      // Before it is written down that it was done: told twice is better than not at all.
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

  /** Redis' clock, never ahead of it. */
  #now({ now, at }: Seen): number {
    return now + Math.floor(this.#on.surroundings.elapsed() - at);
  }

  /** Redis' clock, never behind it: what has happened by now has happened by then. */
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
   * One call to the session-manager, under the record's lock from its commit to its result; what is decided anew is
   * written in that same commit. Answers how long to wait, in ms, where the circuit is open.
   */
  async #pursue(seen: Seen & LiveReading, decision: Pursuit, ringing: AlarmRef): Promise<Seen | number> {
    const { permits, circuit } = this.#on;
    const action = callOf(seen.record, decision, this.#now(seen));
    const wait = action === null ? 0 : circuit.wait(action, seen.record.uuid);
    // What is wanted can be seen, though the call must wait.
    if (action === null || wait > 0) return decision.kind === 'want' ? this.#decide(seen.record, decision, this.#now(seen)) : wait;
    // A permit and a connection before the commit: a call that waits for them after it would be stale.
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
        // It stood in line: what was decided then may be wrong now. Whoever finds it right has not stood there for nothing.
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
    // A conflict that shows our own token is our own commit, sent again after a reconnect.
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
    // How long a pod sleeps and a doubt lasts counts from when that has surely begun; a status is no newer than it surely is.
    const clock = action === 'status' ? this.#now : this.#lateNow;
    return await this.#settle(seen, ringing, (current) =>
      end(current.record, { action, outcome, sentAt: begun.now, podBefore, chance }, clock.call(this, current), bounds),
    );
  }

  /** Of what was decided because nobody came: how long after its deadline it was done. */
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
      // The one that would end the session: an address that answers 404 for all of them is a wrong one.
      const isBelieved = answer.kind !== 'gone' || missingSince === 0 || (await this.#on.othersAreFound(uuid));
      const outcome: Outcome = isBelieved ? answer : NOT_BELIEVED;
      observer.acted(action, outcome, (surroundings.elapsed() - sentAt) / 1_000, uuid, cause);
      return outcome;
    } finally {
      stop();
    }
  }

  /**
   * Applies a result to the record as it is now, however often somebody touches it meanwhile, and arms what it needs:
   * nothing where what stands will do.
   */
  async #settle(begun: Seen & LiveReading, ringing: AlarmRef, patchOf: (current: Seen & LiveReading) => Patch): Promise<Seen> {
    const { arming } = this.#on;
    const { token } = begun.record;
    for (let current: Seen = begun; ; ) {
      const { record } = current;
      // Taken over, or already applied by our own commit that was sent twice: either way no longer ours.
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
