import {
  type AlarmClock,
  activity,
  assertLive,
  type Cause,
  changePolicy,
  checkAwake,
  confirmExists,
  endHold,
  endKeep,
  type Filter,
  hold,
  isAwakeSince,
  keep,
  type LiveReading,
  logOut,
  type NewSession,
  newSession,
  type Page,
  type Policy,
  type RequestEffect,
  removeByHand,
  SandmanError,
  type SessionRecord,
  type SessionStore,
  sleepByHand,
  statusOf,
  verify,
} from '@sandman/core';
import { ActivityRecorder } from './activity-recorder.ts';
import { Arming } from './arming.ts';
import { assertOwned, ManySessions } from './many-sessions.ts';
import { PolicyUpgrade } from './policy-upgrade.ts';
import { SessionWatch } from './session-watch.ts';
import type { PolicySource } from './shared-policies.ts';
import type { System } from './system.ts';

/** A request of a caller that changes what is wanted, or for how long, and its cause. */
export interface Asked {
  readonly action: 'create' | 'adopt' | 'wake' | 'sleep' | 'hold' | 'end-hold' | 'keep' | 'end-keep' | 'policy' | 'delete';
  readonly cause: Cause;
}

export interface SessionServiceOptions {
  readonly store: SessionStore;
  readonly alarms: AlarmClock;
  readonly policies: PolicySource;
  readonly system: System;
  /** Called when an acknowledged change could not be armed at once; its mark remains, and a worker will arm it. */
  readonly unarmed: (error: unknown) => void;
  /** Called with each request after it was written. */
  readonly asked?: (uuid: string, asked: Asked) => void;
}

/** A duration (ms), or an end (ms of Redis' clock). */
export type Span = { readonly for: number } | { readonly until: number };

/** Returns the end of a span and the time now, in ms, and the name of the field that gave the span. */
function endOf(span: Span, now: number): [until: number, now: number, field: string] {
  return 'for' in span ? [now + span.for, now, 'for'] : [span.until, now, 'until'];
}

type Decide = (record: SessionRecord, now: number) => RequestEffect | null;

/**
 * Carries out what callers ask of sessions; `activity` records their activity. Every method rejects with SandmanError `session-not-found` or `session-deleted`
 * where the session's state does not allow it, and with Redis' own error where Redis cannot be reached.
 */
export class SessionService {
  readonly activity: ActivityRecorder;
  readonly #store: SessionStore;
  readonly #watch: SessionWatch;
  readonly #arming: Arming;
  readonly #policies: PolicySource;
  readonly #upgrade: PolicyUpgrade;
  readonly #unarmed: (error: unknown) => void;
  readonly #asked: (uuid: string, asked: Asked) => void;
  readonly #manySessions: ManySessions;

  constructor({ store, alarms, policies, system, unarmed, asked = () => {} }: SessionServiceOptions) {
    this.#store = store;
    this.#watch = new SessionWatch(store, system);
    this.#manySessions = new ManySessions(store);
    this.#arming = new Arming(store, alarms);
    this.#policies = policies;
    this.#upgrade = new PolicyUpgrade({ policies, arming: this.#arming, isDryRun: false });
    this.#unarmed = unarmed;
    this.#asked = asked;
    this.activity = new ActivityRecorder({
      store,
      arming: this.#arming,
      policies: this.#upgrade,
      manySessions: this.#manySessions,
      unarmed,
      woke: (uuid, cause) => asked(uuid, { action: 'wake', cause }),
    });
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
    cause: NewSession['cause'],
  ): Promise<{ created: boolean; reading: LiveReading }> {
    let { record, now } = await this.#store.read(uuid);
    for (;;) {
      const tracked = record !== null && record.pod !== 'gone';
      if (tracked && record) {
        assertLive(record, uuid, now);
        if (record.userId !== userId) throw new SandmanError('conflict', `Session ${uuid} belongs to another user`);
      }
      const again = tracked && record ? activity(record, 'user', now, now) : null;
      const renewed = record && this.#upgrade.effectOn(record, now);
      // The caller says that the pod exists, not that it is awake, so its status is read.
      const confirmed = (again && record && checkAwake({ ...record, ...again.patch }, now)?.patch) || {};
      const patch = again
        ? {
            ...again.patch,
            ...confirmed,
            ...(workspaceUrl === undefined ? {} : { workspaceUrl }),
            ...renewed?.patch,
            ...(policy ? changePolicy({ ...record!, ...again.patch }, policy, this.#policies.rank, now).patch : {}),
          }
        : newSession(
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

  sleep(uuid: string): Promise<LiveReading> {
    return this.#change(uuid, (record, now) => sleepByHand(record, now), { action: 'sleep', cause: 'manual' });
  }

  /** Wakes the session. If its record says that the pod is awake, the pod's status is read, because others may have scaled it. */
  wake(uuid: string): Promise<LiveReading> {
    return this.activity.wake(uuid);
  }

  hold(uuid: string, span: Span): Promise<LiveReading> {
    return this.#change(uuid, (record, now) => hold(record, ...endOf(span, now)), { action: 'hold', cause: 'manual' });
  }

  endHold(uuid: string): Promise<LiveReading> {
    return this.#change(uuid, endHold, { action: 'end-hold', cause: 'manual' });
  }

  /** Protects the session from deletion. */
  keep(uuid: string, span: Span): Promise<LiveReading> {
    return this.#change(uuid, (_, now) => keep(...endOf(span, now)), { action: 'keep', cause: 'manual' });
  }

  endKeep(uuid: string): Promise<LiveReading> {
    return this.#change(uuid, endKeep, { action: 'end-keep', cause: 'manual' });
  }

  setPolicy(uuid: string, policy: Policy): Promise<LiveReading> {
    return this.#change(uuid, (record, now) => changePolicy(record, policy, this.#policies.rank, now), {
      action: 'policy',
      cause: 'manual',
    });
  }

  /**
   * Deletes the session, after `grace` (ms) where that is not 0.
   *
   * @param force whether to delete a session that is kept, and only such a one
   */
  remove(uuid: string, { grace = 0, force = false }: { readonly grace?: number; readonly force?: boolean } = {}): Promise<LiveReading> {
    return this.#change(uuid, (record, now) => removeByHand(record, grace, force, now), { action: 'delete', cause: 'manual' });
  }

  /**
   * Deletes every live session of the user, after `grace` (ms) where that is not 0; puts those that are kept to sleep.
   *
   * @param answer called for each session that was alive, as in {@link ActivityRecorder.recordOfUser}
   */
  logout<T>(userId: string, grace: number, answer: (loggedOut: LiveReading) => T): Promise<T[]> {
    return this.#manySessions.eachOfUser(userId, async (uuid) => {
      const decide: Decide = (record, now) => {
        assertLive(record, uuid, now);
        assertOwned({ record, now }, uuid, userId);
        return logOut(record, grace, now);
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
    await this.#change(uuid, confirmExists, null);
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
