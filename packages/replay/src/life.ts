import {
  type Action,
  type ActivityKind,
  activity,
  type Booked,
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

/** No gap, no warning, and an API that is always there. */
const INGEST = { beat: Number.POSITIVE_INFINITY, floor: 0, lost: 0, rewound: 0, warning: 0 };

/**
 * The one record of a life, changed in place: of a million lives, copying it for each commit took more time than all else.
 * Built with the same fields in the same order each time, so that the engine finds every field where it found the last one's.
 */
type Draft = { -readonly [Field in keyof SessionRecord]: SessionRecord[Field] };

function blank(policy: Policy): Draft {
  const patch = birth({ userId: '', workspaceUrl: '', policy, cause: 'created' }, null, 0);
  return { ...patch, uuid: '', rev: 0, n: 0, sleepAnchor: 0, deleteAnchor: 0, ingest: INGEST } as Draft;
}

function bookedOf({ policy, pod, wanted, action, cause, sleptAt }: SessionRecord): Booked {
  return { policy, pod, wanted, action, cause, sleptAt };
}

/**
 * Lives sessions one after the other, each with however many pods: the production core, with calls that always succeed and
 * a clock that jumps.
 */
export class Life {
  readonly #record: Draft;
  /** No look before this instant decides anything. Like a real alarm it may ring early, never late. */
  #alarm = 0;
  readonly #policy: Policy;
  readonly #wakeTime: number;
  readonly #observer: Observer;

  /** @param wakeTime how long a wake takes, in ms */
  constructor(policy: Policy, wakeTime: number, observer: Observer) {
    this.#policy = policy;
    this.#wakeTime = wakeTime;
    this.#observer = observer;
    this.#record = blank(policy);
  }

  /**
   * Runs one session from its first event to `until` (ms of the epoch), which includes what falls on that instant; what
   * comes later is left out.
   *
   * @param events packed, in the order of time
   */
  run(events: Float64Array, until: number): void {
    this.#born(null, timeOf(events[0]!));
    for (const packed of events) {
      const at = timeOf(packed);
      if (at > until) break;
      this.#happen(eventOf(packed), at);
    }
    this.#advance(until, true);
  }

  /** Something happens; whatever is due before that instant has happened. */
  #happen(event: ActivityKind | 'logout', now: number): void {
    this.#advance(now, false);
    if (this.#record.pod === 'gone') {
      if (event === 'user') this.#born(bookedOf(this.#record), now);
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

  #born(former: Booked | null, now: number): void {
    const birthday = { userId: '', workspaceUrl: '', policy: this.#policy, cause: 'created' } as const;
    Object.assign(this.#record, birth(birthday, former && this.#record, now));
    this.#observer.called('create', now);
    this.#observer.booked(bookings(former, this.#record), now);
    this.#alarm = now;
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
    const before = bookedOf(this.#record);
    Object.assign(this.#record, patch);
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
    this.#commit(end(this.#record, { action, sentAt: now, ...DONE }, now, NO_DOUBT), now);
  }
}
