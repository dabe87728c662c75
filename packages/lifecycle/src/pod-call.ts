import {
  type Action,
  type AlarmName,
  type AlarmRef,
  beginCall,
  type Cause,
  type Decision,
  deadlines,
  decide,
  type EffectBounds,
  endCall,
  hasGrace,
  isAwaited,
  isNoLongerNeeded,
  type Outcome,
  type Patch,
  type PodConnection,
  type PodControl,
  type SessionRecord,
  type SessionStore,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import type { CallLimiter, Purpose } from './call-limiter.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { LatestReading } from './latest-reading.ts';
import type { System } from './system.ts';

/** How long a call's lease is, and how often it is renewed while the call runs, in ms. */
const LEASE_MS = 8_000;
const RENEW_MS = 2_500;
/** If a commit took longer than this, in ms, its call is not sent, and the reconciler decides again. This catches a paused process. */
const STALE_MS = 1_000;
/** A call counts as a retry, which must not delay other calls, from this number of failures in a row on; wakes have a higher one. */
const RETRIES = { wake: 5, other: 2 };
/** How long a retry waits on average, in ms, if too many retries are under way. */
const CROWDED_MS = 500;
/** How soon a call is tried again that gets no connection, because the process is stopping, in ms. */
const STOPPING_MS = 1_000;
/** If a permit and a connection took longer than this, in ms, the record is read and decided on again before the call. */
const FRESH_MS = 100;

/** The outcome that replaces a 404 that is not believed. */
const NOT_BELIEVED: Outcome = {
  kind: 'transient',
  sent: true,
  error: 'HTTP 404, as for other sessions: is this the right session-manager?',
};

/** A decision that leads to a call, at once or later. */
export type CallDecision = Extract<Decision, { kind: 'want' | 'act' }>;

/** How a decision was carried out. */
export type CallEnd =
  /** The call or the decision was written, or the record asks for something else by now. The reconciler decides again. */
  | { readonly kind: 'over' }
  /** Nothing was written. The call may be made in `ms`: the circuit is open, many retries are under way, or the process is stopping. */
  | { readonly kind: 'wait'; readonly ms: number };

const OVER: CallEnd = { kind: 'over' };

/** A call that may be made now. */
interface BeginningCall {
  readonly record: SessionRecord;
  readonly decision: CallDecision;
  readonly action: Action;
  /** The alarm that rings. */
  readonly ringing: AlarmRef;
}

/** Returns the purpose of a call: it selects the call's queue in the call limiter. */
function purposeOf(action: Action, record: SessionRecord): Purpose {
  const purpose = action === 'wake' || (action === 'status' && isAwaited(record)) ? 'wake' : 'other';
  return record.failures >= RETRIES[purpose] ? 'retry' : purpose;
}

/** Is told of calls, to count and log them. */
export interface CallObserver {
  /** A deadline has passed without activity, and the session is to sleep or to be deleted. */
  decided(action: 'sleep' | 'delete', uuid: string, cause: Cause): void;
  /** A call ended. @param cause the record's cause when the call began */
  acted(action: Action, outcome: Outcome, seconds: number, uuid: string, cause: Cause): void;
  /** The sleep or delete that a deadline asked for was done, `ms` after that deadline. */
  late(alarm: AlarmName, ms: number): void;
  failed(error: unknown, uuid: string): void;
}

export interface PodCallerOptions {
  readonly store: SessionStore;
  readonly arming: Arming;
  readonly pods: PodControl;
  readonly limiter: CallLimiter;
  readonly circuit: CircuitBreaker;
  /** Returns whether the session-manager knows any session but this one; true if there is no other to ask for. Never rejects. */
  readonly othersAreFound: (uuid: string) => Promise<boolean>;
  readonly bounds: EffectBounds;
  readonly observer: CallObserver;
  readonly system: System;
}

/** Makes calls to the session-manager. From the commit that begins a call until its result, the call's token locks the record. */
export class PodCaller {
  readonly #options: PodCallerOptions;

  constructor(options: PodCallerOptions) {
    this.#options = options;
  }

  /** Makes the call that a decision on `record` leads to. The commit that begins the call also writes the decision. */
  async carryOut(latest: LatestReading, record: SessionRecord, decision: CallDecision, ringing: AlarmRef): Promise<CallEnd> {
    const { limiter, circuit, pods, system } = this.#options;
    const { action } = decision;
    const wait = action === null ? 0 : circuit.wait(action, record.uuid);
    if (action === null || wait > 0) {
      if (decision.kind === 'act') return { kind: 'wait', ms: wait };
      // No call is due yet, or the circuit is open: the decision is written alone, so that users of the API see the new status.
      const { kind } = await latest.commit({ patch: decision.patch, alarms: false });
      if (kind === 'committed') this.#reportDecision(record, decision);
      return OVER;
    }
    // Gets a permit and a connection before the commit, because a call that waited for them after its commit would be stale.
    const release = await limiter.acquire(purposeOf(action, record));
    if (!release) return { kind: 'wait', ms: CROWDED_MS * (0.5 + system.random()) };
    const connection = await pods.open();
    if (!connection) {
      release();
      return { kind: 'wait', ms: STOPPING_MS };
    }
    try {
      let current = { record, decision };
      if (latest.now() - latest.readAt > FRESH_MS) {
        // The decision may be wrong by now: decide again on a fresh record. If the result is the same, the permit serves for it.
        await latest.read();
        const again = latest.record && decide(latest.record, latest.now());
        if (!latest.record || again?.kind !== decision.kind || again.action !== action) return OVER;
        current = { record: latest.record, decision: again };
      }
      if (!circuit.enter(action, record.uuid)) return { kind: 'wait', ms: circuit.wait(action, record.uuid) };
      await this.#call(connection, latest, { ...current, action, ringing });
      return OVER;
    } finally {
      connection.release();
      release();
    }
  }

  /** Writes that a call begins, sends it, and writes its result. */
  async #call(connection: PodConnection, latest: LatestReading, { record, decision, action, ringing }: BeginningCall): Promise<void> {
    const { bounds, system, circuit } = this.#options;
    const { uuid, pod: podBefore } = record;
    const token = system.newId();
    const wanted = decision.kind === 'want' ? decision.patch : {};
    await latest.commit({ patch: { ...wanted, ...beginCall(action, token) }, alarms: false, lease: LEASE_MS });
    const { record: begun, readAt: sentAt } = latest;
    // If the record has this call's token after a conflict, ioredis sent the commit twice after a reconnect: the first one counts.
    if (begun?.token !== token) return;
    this.#reportDecision(begun, decision);
    if (latest.lateNow() - sentAt > STALE_MS) {
      // Takes the beginning back: nothing was sent.
      return await this.#settle(latest, token, ringing, () => ({ action: '', token: '', actionUntil: 0, pod: podBefore }));
    }
    const outcome = circuit.recordAndCorrect(uuid, await this.#send(connection, begun, action));
    if (outcome.kind === 'done') this.#observeLateness({ ...record, ...wanted }, action, latest.now());
    const chance = system.random();
    // `lateNow` is never before the real time, so a sleep and a doubt never begin too early. `now` is never after it, so a
    // status read is never dated too late.
    await this.#settle(latest, token, ringing, (current) =>
      endCall(current, { action, outcome, sentAt, podBefore, chance }, action === 'status' ? latest.now() : latest.lateNow(), bounds),
    );
  }

  #reportDecision({ uuid }: SessionRecord, decision: CallDecision): void {
    if (decision.kind !== 'want') return;
    const { wanted, cause } = decision.patch;
    this.#options.observer.decided(wanted === 'gone' ? 'delete' : 'sleep', uuid, cause);
  }

  /** Reports how late an idle sleep or a delete at its deadline was carried out, in ms after the deadline. */
  #observeLateness(record: SessionRecord, action: Action, now: number): void {
    // The deadlines as they were before the decision changed `wanted`.
    const isGraced = hasGrace(record);
    const { sleepAt, deleteAt } = deadlines({ ...record, wanted: isGraced || record.pod === 'asleep' ? 'asleep' : 'awake' });
    if (action === 'sleep' && record.cause === 'idle' && sleepAt !== null) this.#options.observer.late('sleep', now - sleepAt);
    const isDue = record.cause === 'delete-due' || isGraced;
    if (action === 'delete' && isDue && deleteAt !== null) this.#options.observer.late('delete', now - deleteAt);
  }

  /** Sends a call, and renews its lease until its outcome is known. */
  async #send(connection: PodConnection, { uuid, token, cause, missingSince }: SessionRecord, action: Action): Promise<Outcome> {
    const { store, observer, system } = this.#options;
    const startedAt = system.elapsed();
    const stop = system.every(RENEW_MS, () => {
      store.renew(uuid, token, LEASE_MS).catch((error) => observer.failed(error, uuid));
    });
    try {
      const answer = await connection.call(action, uuid, token);
      // A second 404 would end the session. If the session-manager knows no other session either, its address may be wrong.
      const isBelieved = answer.kind !== 'gone' || missingSince === 0 || (await this.#options.othersAreFound(uuid));
      const outcome: Outcome = isBelieved ? answer : NOT_BELIEVED;
      observer.acted(action, outcome, (system.elapsed() - startedAt) / 1_000, uuid, cause);
      return outcome;
    } finally {
      stop();
    }
  }

  /**
   * Applies a result to the record as it is now, and tries again when another process writes in between. Arms the record's
   * alarms, unless those that are set suffice.
   */
  async #settle(latest: LatestReading, token: string, ringing: AlarmRef, patchOf: (record: SessionRecord) => Patch): Promise<void> {
    for (;;) {
      const { record } = latest;
      // Another worker has taken over, or this commit was sent twice and is written already. If it drew alarms, the upkeep arms them.
      if (record?.token !== token) return;
      const patch = patchOf(record);
      const alarms = ringing.n !== record.n || !isNoLongerNeeded({ ...record, ...patch }, ringing.name, latest.now());
      const result = await latest.commit({ patch, alarms });
      if (result.kind === 'conflict') continue;
      if (alarms) await this.#options.arming.arm(result, record, ringing.name);
      return;
    }
  }
}
