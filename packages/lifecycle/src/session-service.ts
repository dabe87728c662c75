import {
  type ActivityKind,
  type AlarmClock,
  activity,
  assertLive,
  type Birth,
  birth,
  type Cause,
  type Change,
  changePolicy,
  checkAwake,
  confirmAwake,
  type ErrorCode,
  endHold,
  type Filter,
  found,
  hold,
  isAwakeSince,
  isSuspect,
  type LiveReading,
  type Page,
  type Policy,
  type Reading,
  remove,
  SandmanError,
  type SessionRecord,
  type SessionStore,
  sleepByHand,
  statusOf,
  verify,
} from '@sandman/core';
import { Arming } from './arming.ts';
import { absence, ManySessions } from './many-sessions.ts';
import type { Policies } from './policies-in-use.ts';
import { SessionWatch } from './session-watch.ts';

/** What callers ask for that changes what is wanted, or for how long, and why they do. */
export interface Asked {
  readonly action: 'create' | 'adopt' | 'wake' | 'sleep' | 'hold' | 'end-hold' | 'policy' | 'delete';
  readonly cause: Cause;
}

export interface SessionServiceOptions {
  readonly store: SessionStore;
  readonly alarms: AlarmClock;
  readonly policies: Policies;
  /** Told when an acknowledged change could not be armed at once; its mark stands, and a worker will arm it. */
  readonly unarmed: (error: unknown) => void;
  /** Told of what was asked for, once it is written. */
  readonly asked?: (uuid: string, asked: Asked) => void;
}

type Decide = (record: SessionRecord, now: number) => Change | null;

/** Activity of one session, or of every live session of a user; `at` as in {@link SessionService.activity}. */
export type Signal = { readonly kind: ActivityKind; readonly at: number | null } & (
  | { readonly uuid: string }
  | { readonly userId: string }
);

/** @throws SandmanError `session-not-found` where the session is of another user by now */
function assertOwned({ record }: Reading, uuid: string, userId: string): void {
  if (record && record.userId !== userId) throw new SandmanError('session-not-found', `User ${userId} has no session ${uuid}`);
}

/** Activity that was taken in. */
export type Taken = LiveReading & {
  /** Whether it was this one that woke the session. */
  readonly woke: boolean;
  /** Settles when its alarms are set, or left to a worker; until then they ring too early, which harms nobody. Never rejects. */
  readonly armed: Promise<void>;
};

/**
 * What callers ask of sessions. Every method rejects with SandmanError `session-not-found` or `session-deleted` where
 * the session's state refuses it, and with Redis' own error where Redis cannot be reached.
 */
export class SessionService {
  readonly #store: SessionStore;
  readonly #watch: SessionWatch;
  readonly #arming: Arming;
  readonly #policies: Policies;
  readonly #unarmed: (error: unknown) => void;
  readonly #asked: (uuid: string, asked: Asked) => void;
  readonly #manySessions: ManySessions;

  constructor({ store, alarms, policies, unarmed, asked = () => {} }: SessionServiceOptions) {
    this.#store = store;
    this.#watch = new SessionWatch(store);
    this.#manySessions = new ManySessions(store);
    this.#arming = new Arming(store, alarms);
    this.#policies = policies;
    this.#unarmed = unarmed;
    this.#asked = asked;
  }

  async get(uuid: string): Promise<LiveReading> {
    const { record, now } = await this.#store.read(uuid);
    assertLive(record, uuid, now, true);
    return { record, now };
  }

  list(filter: Filter, limit: number, cursor: string | null): Promise<Page> {
    return this.#store.list(filter, limit, cursor);
  }

  /** Tracks the pod that the session-manager just made. */
  async track(uuid: string, session: { userId: string; workspaceUrl: string; policy: Policy }): Promise<LiveReading> {
    return (await this.#start(uuid, session, 'created')).reading;
  }

  /** Tracks a pod that somebody else made; of a tracked one it is activity, and keeps what is left out. */
  adopt(
    uuid: string,
    session: { userId: string; workspaceUrl?: string; policy?: Policy },
  ): Promise<{ created: boolean; reading: LiveReading }> {
    return this.#start(uuid, session, 'adopted');
  }

  async #start(
    uuid: string,
    { userId, workspaceUrl, policy }: { userId: string; workspaceUrl?: string; policy?: Policy },
    cause: Birth['cause'],
  ): Promise<{ created: boolean; reading: LiveReading }> {
    let { record, now } = await this.#store.read(uuid);
    for (;;) {
      const tracked = record !== null && record.pod !== 'gone';
      if (tracked && record) {
        assertLive(record, uuid, now);
        if (record.userId !== userId) throw new SandmanError('conflict', `Session ${uuid} belongs to another user`);
      }
      const again = tracked && record ? activity(record, 'user', now, now) : null;
      const renewed = record && this.#renewed(record, now);
      // Somebody vouches for the pod anew; whether it is awake is asked.
      const confirmed = (again && record && checkAwake({ ...record, ...again.patch }, now)?.patch) || {};
      const patch = again
        ? {
            ...again.patch,
            ...confirmed,
            ...(workspaceUrl === undefined ? {} : { workspaceUrl }),
            ...renewed?.patch,
            ...(policy ? changePolicy(policy, this.#policies.rank, now).patch : {}),
          }
        : birth(
            { userId, workspaceUrl: workspaceUrl ?? '', policy: policy ?? this.#policies.default, policyRank: this.#policies.rank, cause },
            record,
            now,
          );
      const alarms = !again || again.alarms || policy !== undefined || renewed !== null || Object.keys(confirmed).length > 0;
      const result = await this.#store.commit(uuid, record, { patch, alarms });
      if (result.kind === 'committed') {
        if (!again) this.#asked(uuid, { action: cause === 'created' ? 'create' : 'adopt', cause });
        else if (again.alarms) this.#asked(uuid, { action: 'wake', cause: 'activity' });
        else if (policy) this.#asked(uuid, { action: 'policy', cause: 'manual' });
        if (alarms) await this.#arm(result, record);
        return { created: !tracked, reading: result };
      }
      ({ record, now } = result);
    }
  }

  /** @param at ms; null is now, and the future counts as now */
  async activity(uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    const taken = await this.activityAhead(uuid, kind, at);
    await taken.armed;
    return taken;
  }

  /** Activity of somebody who has more to wait for: `armed` is left to the caller. */
  activityAhead(uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    return this.#activity(uuid, kind, at, 'activity');
  }

  /** @param owner where the session was found by its user: the activity of another user's session is none of this one's */
  async #activity(uuid: string, kind: ActivityKind, at: number | null, cause: Cause, owner?: string): Promise<Taken> {
    for (;;) {
      const touched = await this.#store.touch(uuid, kind, at);
      if (owner !== undefined) assertOwned(touched, uuid, owner);
      if (touched.kind === 'touched') {
        // Its pod may sleep for all that Redis knows, and the sweep may be long in coming: whoever is here must not wait for it.
        const woke = kind === 'user' && touched.record.pod === 'awake' && isSuspect(touched.record);
        const renewed = this.#renewed(touched.record, touched.now);
        const confirmed = cause === 'manual' ? confirmAwake(touched.record, touched.now) : {};
        const patch = { ...renewed?.patch, ...confirmed, ...(woke ? { pod: 'unknown' as const } : {}) };
        if (Object.keys(patch).length > 0) {
          const changed = await this.#store.commit(uuid, touched.record, { patch, alarms: true });
          if (changed.kind === 'conflict') continue;
          if (woke) this.#asked(uuid, { action: 'wake', cause });
          return { ...changed, woke, armed: this.#arm(changed, touched.record) };
        }
        const armed = this.#arming.follow(touched, touched.moved).catch(this.#unarmed);
        return { ...touched, woke: false, armed };
      }
      const { record, now } = touched;
      assertLive(record, uuid, now);
      const renewed = this.#renewed(record, now);
      const change = activity({ ...record, ...renewed?.patch }, kind, at ?? now, now, cause);
      if (!change) return { record, now, woke: false, armed: Promise.resolve() };
      const alarms = change.alarms || renewed !== null;
      // It fell asleep only by its record yet.
      const confirmed = cause === 'manual' ? confirmAwake({ ...record, ...change.patch }, now) : {};
      const result = await this.#store.commit(uuid, record, { patch: { ...renewed?.patch, ...change.patch, ...confirmed }, alarms });
      if (result.kind === 'committed') {
        const woke = change.patch.wanted === 'awake';
        if (woke) this.#asked(uuid, { action: 'wake', cause });
        const armed = alarms ? this.#arm(result, record) : Promise.resolve();
        return { ...result, woke, armed };
      }
      // Of many who come at once the first one wakes it; for the others a touch will do.
    }
  }

  /** What a change of the policies in use makes of a record; null: nothing. */
  #renewed(record: SessionRecord, now: number): Change | null {
    const successor = this.#policies.successor(record);
    return successor && changePolicy(successor, this.#policies.rank, now);
  }

  /**
   * Records activity on every live session of the user, each on its own.
   *
   * @param answer what to make of each, at once: of thousands together it would hold up the process
   */
  activityOfUser<T>(userId: string, kind: ActivityKind, at: number | null, answer: (taken: Taken) => T): Promise<T[]> {
    return this.#manySessions.eachOfUser(userId, async (uuid) => answer(await this.#activityOf(userId, uuid, kind, at)));
  }

  async #activityOf(userId: string, uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    const taken = await this.#activity(uuid, kind, at, 'activity', userId);
    await taken.armed;
    return taken;
  }

  /**
   * Records many signals, each on its own.
   *
   * @param taken told of each session's activity
   * @returns for each signal the code of what refuses it, or null; a user without sessions refuses nothing
   */
  async activities(signals: readonly Signal[], taken: (kind: ActivityKind, activity: Taken) => void): Promise<(ErrorCode | null)[]> {
    const call = this.#manySessions.begin();
    const verdicts = new Map<Signal, ErrorCode | null>();
    const named = signals.filter((signal) => 'uuid' in signal);
    const ofUsers = Map.groupBy(
      signals.filter((signal) => 'userId' in signal),
      ({ userId }) => userId,
    );
    await Promise.all([
      call.each(named, async (signal) => {
        try {
          taken(signal.kind, await this.activity(signal.uuid, signal.kind, signal.at));
        } catch (error) {
          verdicts.set(signal, absence(error));
        }
      }),
      call.eachOfUsers([...ofUsers.keys()], async (uuid, userId) => {
        for (const { kind, at } of ofUsers.get(userId)!) taken(kind, await this.#activityOf(userId, uuid, kind, at));
      }),
    ]);
    call.end();
    return signals.map((signal) => verdicts.get(signal) ?? null);
  }

  sleep(uuid: string): Promise<LiveReading> {
    return this.#change(uuid, sleepByHand, { action: 'sleep', cause: 'manual' });
  }

  /** Wakes it. Of a session that is taken to be awake, the pod's status is read: somebody else may have put it to sleep. */
  async wake(uuid: string): Promise<LiveReading> {
    const taken = await this.#activity(uuid, 'user', null, 'manual');
    await taken.armed;
    return taken;
  }

  /** Until a time (ms of Redis' clock) or for a time (ms). */
  hold(uuid: string, span: { readonly for: number } | { readonly until: number }): Promise<LiveReading> {
    const decide: Decide = (record, now) =>
      'for' in span ? hold(record, now + span.for, now, 'for') : hold(record, span.until, now, 'until');
    return this.#change(uuid, decide, { action: 'hold', cause: 'manual' });
  }

  endHold(uuid: string): Promise<LiveReading> {
    return this.#change(uuid, endHold, { action: 'end-hold', cause: 'manual' });
  }

  setPolicy(uuid: string, policy: Policy): Promise<LiveReading> {
    return this.#change(uuid, (_, now) => changePolicy(policy, this.#policies.rank, now), { action: 'policy', cause: 'manual' });
  }

  remove(uuid: string): Promise<LiveReading> {
    return this.#change(uuid, (record) => remove(record, 'manual'), { action: 'delete', cause: 'manual' });
  }

  /**
   * Deletes every live session of the user.
   *
   * @param answer what to make of each that was alive, as in {@link activityOfUser}
   */
  logout<T>(userId: string, answer: (deleted: LiveReading) => T): Promise<T[]> {
    return this.#manySessions.eachOfUser(userId, async (uuid) => {
      const decide: Decide = (record, now) => {
        assertLive(record, uuid, now);
        assertOwned({ record, now }, uuid, userId);
        return remove(record, 'logout');
      };
      return answer(await this.#change(uuid, decide, { action: 'delete', cause: 'logout' }));
    });
  }

  /**
   * Has the pod's status read, because a call of the user's did not find it, and waits for that. A worker reads it, so that
   * one answer from a wrong address is nobody's end.
   *
   * @param timeout ms
   * @throws SandmanError `session-deleted` when it is gone indeed
   */
  async verify(uuid: string, timeout: number): Promise<void> {
    await this.#change(uuid, verify, null);
    await this.#watch.until(uuid, ({ verifyAt, missingSince }) => verifyAt === 0 || missingSince > 0, { timeout });
  }

  /** The session-manager answered a call of the user's for the session: it knows it. */
  async found(uuid: string): Promise<void> {
    await this.#change(uuid, found, null);
  }

  /** Has the pod's status read soon, because it did not answer a call of the user's as an awake one does. */
  async check(uuid: string): Promise<void> {
    await this.#change(uuid, checkAwake, null);
  }

  /**
   * Waits until the pod is awake.
   *
   * @param wait `timeout` in ms; `signal` ends the wait when its caller has gone
   * @param since it must have been found awake, or woken, since this instant, in ms of Redis' clock
   * @returns null when it was not within `timeout`, or `signal` came first
   */
  untilAwake(uuid: string, wait: { readonly timeout: number; readonly signal?: AbortSignal }, since = 0): Promise<LiveReading | null> {
    return this.#watch.until(uuid, (record) => (since > 0 ? isAwakeSince(record, since) : statusOf(record) === 'active'), wait);
  }

  /** Decides on the record as it is and writes that, again and again until nobody came in between. */
  async #change(uuid: string, decide: Decide, asked: Asked | null): Promise<LiveReading> {
    let { record, now } = await this.#store.read(uuid);
    for (;;) {
      // Whoever asks for its delete need not be told that somebody did before.
      assertLive(record, uuid, now, asked?.action === 'delete');
      const change = decide(record, now);
      if (!change) return { record, now };
      const result = await this.#store.commit(uuid, record, change);
      if (result.kind === 'committed') {
        if (asked) this.#asked(uuid, asked);
        if (change.alarms) await this.#arm(result, record);
        return result;
      }
      ({ record, now } = result);
    }
  }

  /** The change is written and will be acknowledged: that arming failed is no reason to say it was not. */
  async #arm(reading: LiveReading, older: SessionRecord | null): Promise<void> {
    await this.#arming.arm(reading, older).catch(this.#unarmed);
  }
}
