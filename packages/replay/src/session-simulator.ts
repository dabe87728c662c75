import {
  type Action,
  type ActivityKind,
  activity,
  beginCall,
  decide,
  endCall,
  newSession,
  type Patch,
  type Policy,
  type RequestEffect,
  remove,
  type SessionRecord,
  type UsageEntry,
  type UsageFields,
  usageEntries,
} from '@sandman/core';
import { unpackEvent, unpackTime } from './trace.ts';

/** A call that would have been made to the session-manager. */
export type PodCall = Exclude<Action, 'status'> | 'create';

/** Receives what happens, in the order of time; `at` in ms since 1970. */
export interface SimulationObserver {
  usageChanged(entries: readonly UsageEntry[], at: number): void;
  called(call: PodCall, at: number): void;
}

/** The result of every simulated call, and the bound on a doubt, which never arises. */
const DONE = { outcome: { kind: 'done' }, podBefore: 'unknown', chance: 0 } as const;
const NO_DOUBT = { doubt: 0 };

/** The token of the call in flight; there is never more than one. */
const TOKEN = 'simulated';

/** An intake without gaps and warnings, with an API that is always there. */
const INTAKE_WITHOUT_GAPS = { lastHeartbeat: Number.POSITIVE_INFINITY, gapEndedAt: 0, lostTime: 0, rewoundAt: 0, warning: 0 };

/**
 * The record of a {@link SessionSimulator}, changed in place: with a million sessions, a copy for each commit took more time than all else.
 * It always has the same fields in the same order, so that the JavaScript engine keeps one layout for it.
 */
type Draft = { -readonly [Field in keyof SessionRecord]: SessionRecord[Field] };

function blank(policy: Policy): Draft {
  const patch = newSession({ userId: '', workspaceUrl: '', policy, cause: 'created' }, null, 0);
  return { ...patch, uuid: '', rev: 0, n: 0, sleepAnchor: 0, deleteAnchor: 0, intake: INTAKE_WITHOUT_GAPS } as Draft;
}

function usageFieldsOf({ policy, pod, wanted, action, cause, sleptAt }: SessionRecord): UsageFields {
  return { policy, pod, wanted, action, cause, sleptAt };
}

/**
 * Simulates sessions one after the other with the decisions of `core`, calls that always succeed, and a clock that jumps. A session
 * may have several pods, one after another.
 */
export class SessionSimulator {
  readonly #record: Draft;
  /** When to decide next, ms; nothing is due before. Like a real alarm it may ring early, never late. */
  #alarm = 0;
  readonly #policy: Policy;
  readonly #wakeTime: number;
  readonly #observer: SimulationObserver;

  /** @param wakeTime how long a wake takes, in ms */
  constructor(policy: Policy, wakeTime: number, observer: SimulationObserver) {
    this.#policy = policy;
    this.#wakeTime = wakeTime;
    this.#observer = observer;
    this.#record = blank(policy);
  }

  /**
   * Simulates one session from its first event to `until` (ms since 1970), inclusive. Later events are left out.
   *
   * @param events packed, in the order of time
   */
  run(events: Float64Array, until: number): void {
    this.#create(null, unpackTime(events[0]!));
    for (const packed of events) {
      const at = unpackTime(packed);
      if (at > until) break;
      this.#happen(unpackEvent(packed), at);
    }
    this.#advance(until, true);
  }

  /** Does what is due before `now`, then applies the event. */
  #happen(event: ActivityKind | 'logout', now: number): void {
    this.#advance(now, false);
    if (this.#record.pod === 'gone') {
      if (event === 'user') this.#create(usageFieldsOf(this.#record), now);
      return;
    }
    if (event === 'logout') {
      // The wake in flight is ended first, because no caller waits for it any more.
      if (this.#record.action === 'wake') this.#end('wake', now);
      this.#change(remove(this.#record, 'logout', 0, now), now);
    } else {
      this.#change(activity(this.#record, event, now, now), now);
    }
  }

  #create(former: UsageFields | null, now: number): void {
    const birthday = { userId: '', workspaceUrl: '', policy: this.#policy, cause: 'created' } as const;
    Object.assign(this.#record, newSession(birthday, former && this.#record, now));
    this.#observer.called('create', now);
    this.#observer.usageChanged(usageEntries(former, this.#record), now);
    this.#alarm = now;
  }

  #change(change: RequestEffect | null, now: number): void {
    if (change?.alarms) {
      this.#commit(change.patch, now);
      this.#alarm = now;
      this.#advance(now, true);
    } else if (change) {
      // Most events only postpone deadlines, which adds nothing to the usage.
      Object.assign(this.#record, change.patch);
    }
  }

  #commit(patch: Patch, now: number): void {
    const before = usageFieldsOf(this.#record);
    Object.assign(this.#record, patch);
    this.#observer.usageChanged(usageEntries(before, this.#record), now);
  }

  #advance(until: number, included: boolean): void {
    while (this.#alarm < until || (included && this.#alarm === until)) {
      const now = this.#alarm;
      if (this.#record.action === 'wake') this.#end('wake', now);
      const decision = decide(this.#record, now);
      if (decision.kind === 'want') this.#commit(decision.patch, now);
      else if (decision.kind === 'act') this.#act(decision.action, now);
      else if (decision.kind === 'rest') this.#alarm = decision.until ?? Number.POSITIVE_INFINITY;
      else this.#alarm = Number.POSITIVE_INFINITY;
    }
  }

  #act(action: Action, now: number): void {
    if (action !== 'status') this.#observer.called(action, now);
    this.#commit(beginCall(action, TOKEN), now);
    if (action === 'wake' && this.#wakeTime > 0) this.#alarm = now + this.#wakeTime;
    else this.#end(action, now);
  }

  #end(action: Action, now: number): void {
    this.#commit(endCall(this.#record, { action, sentAt: now, ...DONE }, now, NO_DOUBT), now);
  }
}
