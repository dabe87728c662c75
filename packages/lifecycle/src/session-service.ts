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

/** A request of a caller that changes what is wanted, or for how long, and its cause. */
export interface Asked {
  readonly action: 'create' | 'adopt' | 'wake' | 'sleep' | 'hold' | 'end-hold' | 'policy' | 'delete';
  readonly cause: Cause;
}

export interface SessionServiceOptions {
  readonly store: SessionStore;
  readonly alarms: AlarmClock;
  readonly policies: Policies;
  /** Called when an acknowledged change could not be armed at once; its mark remains, and a worker will arm it. */
  readonly unarmed: (error: unknown) => void;
  /** Called with each request after it was written. */
  readonly asked?: (uuid: string, asked: Asked) => void;
}

type Decide = (record: SessionRecord, now: number) => Change | null;

/** Activity of one session, or of every live session of a user; `at` as in {@link SessionService.activity}. */
export type Signal = { readonly kind: ActivityKind; readonly at: number | null } & (
  | { readonly uuid: string }
  | { readonly userId: string }
);

/** @throws SandmanError `session-not-found` where the session belongs to another user now */
function assertOwned({ record }: Reading, uuid: string, userId: string): void {
  if (record && record.userId !== userId) throw new SandmanError('session-not-found', `User ${userId} has no session ${uuid}`);
}

/** The result of recording activity. */
export type Taken = LiveReading & {
  /** Whether this activity woke the session. */
  readonly woke: boolean;
  /** Settles when the alarms are set, or left to a worker. Until then they ring too early, which is harmless. Never rejects. */
  readonly armed: Promise<void>;
};

/**
 * Carries out what callers ask of sessions. Every method rejects with SandmanError `session-not-found` or `session-deleted`
 * where the session's state does not allow it, and with Redis' own error where Redis cannot be reached.
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

  /** Tracks a pod that the session-manager has just created. */
  async track(uuid: string, session: { userId: string; workspaceUrl: string; policy: Policy }): Promise<LiveReading> {
    return (await this.#start(uuid, session, 'created')).reading;
  }

  /** Tracks a pod that another service created. For a session that is tracked already it is activity; omitted fields stay. */
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
      // The caller says that the pod exists, not that it is awake, so its status is read.
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

  /** Records activity, and waits until its alarms are set. @param at ms; null is now, and the future counts as now */
  async activity(uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    const taken = await this.activityAhead(uuid, kind, at);
    await taken.armed;
    return taken;
  }

  /** Records activity for a caller that waits for `armed` itself, after other work. */
  activityAhead(uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    return this.#activity(uuid, kind, at, 'activity');
  }

  /** @param owner the user by whom the session was found; a session that belongs to another user now is refused */
  async #activity(uuid: string, kind: ActivityKind, at: number | null, cause: Cause, owner?: string): Promise<Taken> {
    for (;;) {
      const touched = await this.#store.touch(uuid, kind, at);
      if (owner !== undefined) assertOwned(touched, uuid, owner);
      if (touched.kind === 'touched') {
        // Redis came back with older data, so the pod may sleep although the record says awake. Wake it now, so that the user
        // need not wait for the sweep.
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
      // If the sleep call has not begun, the record still has the pod as awake. A wake by hand does not rely on that.
      const confirmed = cause === 'manual' ? confirmAwake({ ...record, ...change.patch }, now) : {};
      const result = await this.#store.commit(uuid, record, { patch: { ...renewed?.patch, ...change.patch, ...confirmed }, alarms });
      if (result.kind === 'committed') {
        const woke = change.patch.wanted === 'awake';
        if (woke) this.#asked(uuid, { action: 'wake', cause });
        const armed = alarms ? this.#arm(result, record) : Promise.resolve();
        return { ...result, woke, armed };
      }
      // Another process wrote first. If that was activity that woke the session, a touch is enough now.
    }
  }

  /** Returns what a change of the policies in force changes in a record; null: nothing. */
  #renewed(record: SessionRecord, now: number): Change | null {
    const successor = this.#policies.successor(record);
    return successor && changePolicy(successor, this.#policies.rank, now);
  }

  /**
   * Records activity of every live session of the user, each on its own.
   *
   * @param answer called for each session as soon as it is done; converting thousands together would block the process
   * @returns what `answer` returned
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
   * @param taken called with each session's activity
   * @returns for each signal the code of the error that refused it, or null; a user without sessions is no error
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

  /** Wakes the session. If its record says that the pod is awake, the pod's status is read, because others may have scaled it. */
  async wake(uuid: string): Promise<LiveReading> {
    const taken = await this.#activity(uuid, 'user', null, 'manual');
    await taken.armed;
    return taken;
  }

  /** Holds the session for a duration (ms) or until a time (ms of Redis' clock). */
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
   * @param answer called for each session that was alive, as in {@link activityOfUser}
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
   * Has the pod's status read after a call for the user got 404, and waits for the result. A worker reads it, so that a
   * single 404 from a wrong address ends no session.
   *
   * @param timeout ms
   * @throws SandmanError `session-deleted` when the pod is really gone
   */
  async verify(uuid: string, timeout: number): Promise<void> {
    await this.#change(uuid, verify, null);
    await this.#watch.until(uuid, ({ verifyAt, missingSince }) => verifyAt === 0 || missingSince > 0, { timeout });
  }

  /** Notes that the session-manager knows the session, because it answered a call for the user. */
  async found(uuid: string): Promise<void> {
    await this.#change(uuid, found, null);
  }

  /** Has the pod's status read soon, because it did not answer a call for the user as an awake pod does. */
  async check(uuid: string): Promise<void> {
    await this.#change(uuid, checkAwake, null);
  }

  /**
   * Waits until the pod is awake.
   *
   * @param wait `timeout` in ms; `signal` ends the wait when its caller has left
   * @param since if over 0, an open doubt must have ended or the pod must have been woken since this time, in ms of Redis' clock
   * @returns null when the pod was not awake within `timeout`, or `signal` came first
   */
  untilAwake(uuid: string, wait: { readonly timeout: number; readonly signal?: AbortSignal }, since = 0): Promise<LiveReading | null> {
    return this.#watch.until(uuid, (record) => (since > 0 ? isAwakeSince(record, since) : statusOf(record) === 'active'), wait);
  }

  /** Decides on the record and commits the result, and tries again each time another process wrote in between. */
  async #change(uuid: string, decide: Decide, asked: Asked | null): Promise<LiveReading> {
    let { record, now } = await this.#store.read(uuid);
    for (;;) {
      // A delete of a session that is being deleted already is not an error.
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

  /** Arms alarms without failing: the change is written, so the caller gets a success even if arming fails. */
  async #arm(reading: LiveReading, older: SessionRecord | null): Promise<void> {
    await this.#arming.arm(reading, older).catch(this.#unarmed);
  }
}
