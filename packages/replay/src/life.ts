import {
  type Action,
  type ActivityKind,
  activity,
  type Booking,
  begin,
  birth,
  bookings,
  type Change,
  end,
  look,
  type Patch,
  type Policy,
  remove,
  type SessionRecord,
} from '@sandman/core';
import { eventOf, timeOf } from './trace.ts';

/** What would have been called at the session-manager. */
export type PodCall = Exclude<Action, 'status'> | 'create';

/** Who is told what happens, in the order of time; `at` in ms of the epoch. */
export interface Observer {
  booked(bookings: readonly Booking[], at: number): void;
  called(call: PodCall, at: number): void;
}

/** How a simulated call always ends; its bounds are for those that do not. */
const DONE = { outcome: { kind: 'done' }, podBefore: 'unknown', chance: 0 } as const;
const NO_DOUBT = { doubt: 0 };

/** A token for the calls in flight: there is never but one. */
const TOKEN = 'simulated';

/** Before there is anything: no gap, no warning, and an API that is always there. */
const BLANK = {
  uuid: '',
  rev: 0,
  n: 0,
  sleepAnchor: 0,
  deleteAnchor: 0,
  ingest: { beat: Number.POSITIVE_INFINITY, floor: 0, lost: 0, rewound: 0, warning: 0 },
};

/** The life, or lives, of one session: the production core, with calls that always succeed and a clock that jumps. */
export class Life {
  #record: SessionRecord;
  /** No look before this instant decides anything. Like a real alarm it may ring early, never late. */
  #alarm = 0;
  readonly #policy: Policy;
  readonly #wakeTime: number;
  readonly #observer: Observer;

  /**
   * Its pod is created now.
   *
   * @param wakeTime how long a wake takes, in ms
   */
  constructor(policy: Policy, wakeTime: number, observer: Observer, now: number) {
    this.#policy = policy;
    this.#wakeTime = wakeTime;
    this.#observer = observer;
    this.#record = this.#born(null, now);
  }

  /** Something happens; whatever is due before that instant has happened. */
  happen(event: ActivityKind | 'logout', now: number): void {
    this.#advance(now, false);
    if (this.#record.pod === 'gone') {
      if (event === 'user') this.#record = this.#born(this.#record, now);
      return;
    }
    if (event === 'logout') {
      // Nobody waits for it any more.
      if (this.#record.action === 'wake') this.#end('wake', now);
      this.#change(remove(this.#record, 'logout'), now);
    } else {
      this.#change(activity(this.#record, event, now, now), now);
    }
  }

  /** Whatever falls due until then, that instant included. */
  finish(now: number): void {
    this.#advance(now, true);
  }

  #born(former: SessionRecord | null, now: number): SessionRecord {
    const patch = birth({ userId: '', workspaceUrl: '', policy: this.#policy, cause: 'created' }, former, now);
    const record = { ...BLANK, ...patch } as SessionRecord;
    this.#observer.called('create', now);
    this.#observer.booked(bookings(former, record), now);
    this.#alarm = now;
    return record;
  }

  #change(change: Change | null, now: number): void {
    if (change?.alarms) {
      this.#commit(change.patch, now);
      this.#alarm = now;
      this.#advance(now, true);
    } else if (change) {
      // The greater part of all events: it only moves deadlines out, and no book is kept of it.
      Object.assign(this.#record, change.patch);
    }
  }

  #commit(patch: Patch, now: number): void {
    const before = this.#record;
    this.#record = { ...before, ...patch };
    this.#observer.booked(bookings(before, this.#record), now);
  }

  #advance(until: number, included: boolean): void {
    while (this.#alarm < until || (included && this.#alarm === until)) {
      const now = this.#alarm;
      if (this.#record.action === 'wake') this.#end('wake', now);
      const decision = look(this.#record, now);
      if (decision.kind === 'want') this.#commit(decision.patch, now);
      else if (decision.kind === 'act') this.#act(decision.action, now);
      else if (decision.kind === 'rest') this.#alarm = decision.until ?? Number.POSITIVE_INFINITY;
      else this.#alarm = Number.POSITIVE_INFINITY;
    }
  }

  #act(action: Action, now: number): void {
    if (action !== 'status') this.#observer.called(action, now);
    this.#commit(begin(action, TOKEN), now);
    if (action === 'wake' && this.#wakeTime > 0) this.#alarm = now + this.#wakeTime;
    else this.#end(action, now);
  }

  #end(action: Action, now: number): void {
    this.#commit(end(this.#record, { action, ...DONE }, now, NO_DOUBT), now);
    // Until then the request that woke it was in flight, which counts as activity.
    if (action === 'wake' && this.#wakeTime > 0) Object.assign(this.#record, activity(this.#record, 'user', now, now)?.patch);
  }
}

/**
 * Runs one session from its first event to `until` (ms of the epoch), which includes what falls on that instant; what
 * comes later is left out.
 *
 * @param events packed, in the order of time
 */
export function runLife(events: Float64Array, policy: Policy, wakeTime: number, until: number, observer: Observer): void {
  const life = new Life(policy, wakeTime, observer, timeOf(events[0]!));
  for (const packed of events) {
    const at = timeOf(packed);
    if (at > until) break;
    life.happen(eventOf(packed), at);
  }
  life.finish(until);
}
