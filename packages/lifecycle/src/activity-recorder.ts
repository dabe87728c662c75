import {
  type ActivityKind,
  activity,
  assertLive,
  type Cause,
  confirmAwake,
  type ErrorCode,
  isSuspect,
  type LiveReading,
  type SessionStore,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import { absence, assertOwned, type ManySessions } from './many-sessions.ts';
import type { PolicyUpgrade } from './policy-upgrade.ts';

export interface ActivityRecorderOptions {
  readonly store: SessionStore;
  readonly arming: Arming;
  readonly policies: PolicyUpgrade;
  readonly manySessions: ManySessions;
  /** Called when alarms could not be set at once; a worker will set them. */
  readonly unarmed: (error: unknown) => void;
  /** Called when activity has woken a session. */
  readonly woke: (uuid: string, cause: Cause) => void;
}

/** Activity of one session, or of every live session of a user; `at` as in {@link ActivityRecorder.record}. */
export type Signal = { readonly kind: ActivityKind; readonly at: number | null } & (
  | { readonly uuid: string }
  | { readonly userId: string }
);

/** The result of recording activity. */
export type Taken = LiveReading & {
  /** Whether this activity woke the session. */
  readonly woke: boolean;
  /** Settles when the alarms are set, or left to a worker. Until then they ring too early, which is harmless. Never rejects. */
  readonly armed: Promise<void>;
};

/**
 * Records activity of one session, of all sessions of a user, or of a batch. Rejects with SandmanError `session-not-found` or
 * `session-deleted`, and with Redis' own error where Redis cannot be reached.
 */
export class ActivityRecorder {
  readonly #options: ActivityRecorderOptions;

  constructor(options: ActivityRecorderOptions) {
    this.#options = options;
  }

  /** Records activity, and waits until its alarms are set. @param at ms; null is now, and the future counts as now */
  async record(uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    const taken = await this.recordAhead(uuid, kind, at);
    await taken.armed;
    return taken;
  }

  /** Records activity for a caller that waits for `armed` itself, after other work. */
  recordAhead(uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    return this.#touch(uuid, kind, at, 'activity');
  }

  /**
   * Wakes the session by hand, and waits until its alarms are set. If its record says that the pod is awake, the pod's status is
   * read, because others may have scaled it.
   */
  async wake(uuid: string): Promise<LiveReading> {
    const taken = await this.#touch(uuid, 'user', null, 'manual');
    await taken.armed;
    return taken;
  }

  /** @param owner the user by whom the session was found; a session that belongs to another user now is refused */
  async #touch(uuid: string, kind: ActivityKind, at: number | null, cause: Cause, owner?: string): Promise<Taken> {
    const { store, arming, policies, unarmed, woke: reportWake } = this.#options;
    for (;;) {
      const touched = await store.touch(uuid, kind, at);
      if (owner !== undefined) assertOwned(touched, uuid, owner);
      if (touched.kind === 'touched') {
        // Redis came back with older data, so the pod may sleep although the record says awake. Wake it now, so that the user
        // need not wait for the sweep.
        const woke = kind === 'user' && touched.record.pod === 'awake' && isSuspect(touched.record);
        const renewed = policies.effectOn(touched.record, touched.now);
        const confirmed = cause === 'manual' ? confirmAwake(touched.record, touched.now) : {};
        const patch = { ...renewed?.patch, ...confirmed, ...(woke ? { pod: 'unknown' as const } : {}) };
        if (Object.keys(patch).length > 0) {
          const changed = await store.commit(uuid, touched.record, { patch, alarms: true });
          if (changed.kind === 'conflict') continue;
          if (woke) reportWake(uuid, cause);
          return { ...changed, woke, armed: arming.arm(changed, touched.record).catch(unarmed) };
        }
        const armed = arming.follow(touched, touched.moved).catch(unarmed);
        return { ...touched, woke: false, armed };
      }
      const { record, now } = touched;
      assertLive(record, uuid, now);
      const renewed = policies.effectOn(record, now);
      const change = activity({ ...record, ...renewed?.patch }, kind, at ?? now, now, cause);
      if (!change) return { record, now, woke: false, armed: Promise.resolve() };
      const alarms = change.alarms || renewed !== null;
      // If the sleep call has not begun, the record still has the pod as awake. A wake by hand does not rely on that.
      const confirmed = cause === 'manual' ? confirmAwake({ ...record, ...change.patch }, now) : {};
      const result = await store.commit(uuid, record, { patch: { ...renewed?.patch, ...change.patch, ...confirmed }, alarms });
      if (result.kind === 'committed') {
        const woke = change.patch.wanted === 'awake';
        if (woke) reportWake(uuid, cause);
        const armed = alarms ? arming.arm(result, record).catch(unarmed) : Promise.resolve();
        return { ...result, woke, armed };
      }
      // Another process wrote first. If that was activity that woke the session, a touch is enough now.
    }
  }

  /**
   * Records activity of every live session of the user, each on its own.
   *
   * @param answer called for each session as soon as it is done; converting thousands together would block the process
   * @returns what `answer` returned
   */
  recordOfUser<T>(userId: string, kind: ActivityKind, at: number | null, answer: (taken: Taken) => T): Promise<T[]> {
    return this.#options.manySessions.eachOfUser(userId, async (uuid) => answer(await this.#recordOwned(userId, uuid, kind, at)));
  }

  async #recordOwned(userId: string, uuid: string, kind: ActivityKind, at: number | null): Promise<Taken> {
    const taken = await this.#touch(uuid, kind, at, 'activity', userId);
    await taken.armed;
    return taken;
  }

  /**
   * Records many signals, each on its own.
   *
   * @param taken called with each session's activity
   * @returns for each signal the code of the error that refused it, or null; a user without sessions is no error
   */
  async recordAll(signals: readonly Signal[], taken: (kind: ActivityKind, activity: Taken) => void): Promise<(ErrorCode | null)[]> {
    const call = this.#options.manySessions.begin();
    const verdicts = new Map<Signal, ErrorCode | null>();
    const named = signals.filter((signal) => 'uuid' in signal);
    const ofUsers = Map.groupBy(
      signals.filter((signal) => 'userId' in signal),
      ({ userId }) => userId,
    );
    await Promise.all([
      call.each(named, async (signal) => {
        try {
          taken(signal.kind, await this.record(signal.uuid, signal.kind, signal.at));
        } catch (error) {
          verdicts.set(signal, absence(error));
        }
      }),
      call.eachOfUsers([...ofUsers.keys()], async (uuid, userId) => {
        for (const { kind, at } of ofUsers.get(userId)!) taken(kind, await this.#recordOwned(userId, uuid, kind, at));
      }),
    ]);
    call.end();
    return signals.map((signal) => verdicts.get(signal) ?? null);
  }
}
