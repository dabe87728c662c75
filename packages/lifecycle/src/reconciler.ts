import {
  type Action,
  type AlarmEnd,
  type AlarmName,
  type AlarmRef,
  BEAT_MS,
  type Bounds,
  begin,
  type Cause,
  type Decision,
  deadlines,
  end,
  look,
  type Outcome,
  type Patch,
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
import type { Permits } from './permits.ts';
import type { Surroundings } from './surroundings.ts';

/** A call's lease and how often it is renewed while the call runs, in ms. */
const LEASE_MS = 8_000;
const RENEW_MS = 2_500;
/** A call that was not sent this long after its commit is decided anew, in ms: its process was paused meanwhile. */
const STALE_MS = 1_000;
/** How soon an alarm rings again whose handling failed, in ms. */
const AFTER_ERROR_MS = 1_000;

const COMPLETED: AlarmEnd = { kind: 'completed' };

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
  readonly arming: Arming;
  readonly pods: PodControl;
  readonly permits: Permits;
  readonly circuit: Circuit;
  readonly bounds: Bounds;
  readonly observer: Observer;
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

  async #handle({ uuid, name, n }: AlarmRef): Promise<AlarmEnd> {
    const { store, observer, surroundings } = this.#on;
    let reading = await store.read(uuid);
    let readAt = surroundings.elapsed();
    for (;;) {
      const { record } = reading;
      // An older number is void: whoever drew the newer one has armed it, or its mark will be found.
      if (!record || n < record.n) return COMPLETED;
      const now = reading.now + Math.floor(surroundings.elapsed() - readAt);
      const decision = look(record, now);
      if (decision.kind === 'over') return COMPLETED;
      if (decision.kind === 'rest') {
        if (decision.until === null) return COMPLETED;
        // What only waits for a heartbeat rang in time.
        if (record.action === '' && decision.until > now + BEAT_MS) observer.early(name);
        return { kind: 'again', ms: restingPlace(record, name, decision.until, now) - now };
      }
      const next = decision.kind === 'act' ? await this.#act(record, decision.action) : await this.#decide(record, decision, now);
      if (typeof next === 'number') return { kind: 'again', ms: next };
      reading = next;
      readAt = surroundings.elapsed();
    }
  }

  async #decide(record: SessionRecord, decision: Exclude<Decision, { kind: 'over' | 'rest' | 'act' }>, now: number): Promise<Reading> {
    const { store, bounds, observer } = this.#on;
    const patch =
      decision.kind === 'want'
        ? decision.patch
        : decision.kind === 'suspect'
          ? suspect(record, now, bounds)
          : takeOver(record, now, bounds);
    const result = await store.commit(record.uuid, record, { patch, alarms: false });
    if (decision.kind === 'want' && result.kind === 'committed') {
      const { wanted, uuid, cause } = result.record;
      observer.decided(wanted === 'gone' ? 'delete' : 'sleep', uuid, cause);
    }
    return result;
  }

  /** One call to the session-manager, under the record's lock from its commit to its result; or how long to wait for the circuit, in ms. */
  async #act(record: SessionRecord, action: Action): Promise<Reading | number> {
    const { permits, circuit } = this.#on;
    // Before the commit: what waits in line after it would be a stale call.
    const wait = circuit.wait(action);
    if (wait > 0) return wait;
    const release = await permits.acquire(action === 'wake');
    try {
      if (!circuit.enter()) return circuit.wait(action);
      return await this.#call(record, action);
    } finally {
      release();
    }
  }

  async #call(record: SessionRecord, action: Action): Promise<Reading> {
    const { store, bounds, surroundings, circuit } = this.#on;
    const { uuid, pod: podBefore } = record;
    const token = surroundings.id();
    const committedAt = surroundings.elapsed();
    const begun = await store.commit(uuid, record, { patch: begin(action, token), alarms: false, lease: LEASE_MS });
    const begunAt = surroundings.elapsed();
    // A conflict that shows our own token is our own commit, sent again after a reconnect.
    if (begun.record?.token !== token) return begun;
    if (surroundings.elapsed() - committedAt > STALE_MS) {
      return await this.#settle(uuid, token, () => ({ action: '', token: '', actionUntil: 0, pod: podBefore }));
    }
    const outcome = circuit.judge(uuid, await this.#send(begun.record, action, committedAt + STALE_MS));
    if (outcome.kind === 'done') this.#observeLateness(record, action, begun.now + surroundings.elapsed() - begunAt);
    const chance = surroundings.chance();
    return await this.#settle(uuid, token, (current, now) => end(current, { action, outcome, podBefore, chance }, now, bounds));
  }

  /** Of what was decided because nobody came: how long after its deadline it was done. */
  #observeLateness(record: SessionRecord, action: Action, now: number): void {
    const { sleepAt, deleteAt } = deadlines({ ...record, wanted: record.pod === 'asleep' ? 'asleep' : 'awake' });
    if (action === 'sleep' && record.cause === 'idle' && sleepAt !== null) this.#on.observer.late('sleep', now - sleepAt);
    if (action === 'delete' && record.cause === 'delete-due' && deleteAt !== null) this.#on.observer.late('delete', now - deleteAt);
  }

  /** @param sendBy as `surroundings.elapsed()` has it */
  async #send({ uuid, token, cause }: SessionRecord, action: Action, sendBy: number): Promise<Outcome> {
    const { store, pods, observer, surroundings } = this.#on;
    const sentAt = surroundings.elapsed();
    const stop = surroundings.every(RENEW_MS, () => {
      store.renew(uuid, token, LEASE_MS).catch((error) => observer.failed(error, uuid));
    });
    try {
      const outcome = await pods.call(action, uuid, token, sendBy - sentAt);
      observer.acted(action, outcome, (surroundings.elapsed() - sentAt) / 1_000, uuid, cause);
      return outcome;
    } finally {
      stop();
    }
  }

  /** Applies a result to the record as it is now, however often somebody touches it meanwhile, and arms what it needs. */
  async #settle(uuid: string, token: string, patch: (record: SessionRecord, now: number) => Patch): Promise<Reading> {
    const { store, arming, surroundings } = this.#on;
    let current: Reading = await store.read(uuid);
    let readAt = surroundings.elapsed();
    for (;;) {
      const { record } = current;
      // Taken over, or already applied by our own commit that was sent twice: either way no longer ours.
      if (record?.token !== token) return current;
      const now = current.now + Math.floor(surroundings.elapsed() - readAt);
      const result = await store.commit(record.uuid, record, { patch: patch(record, now), alarms: true });
      if (result.kind === 'committed') {
        await arming.arm(result, record.n);
        return result;
      }
      current = result;
      readAt = surroundings.elapsed();
    }
  }
}
