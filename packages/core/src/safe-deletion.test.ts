import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alarmsOf, isNoLongerNeeded } from './alarms.ts';
import { deadlines } from './deadlines.ts';
import { decide } from './decide.ts';
import { example, T0 } from './example.fixture.ts';
import { PolicySet } from './policy.ts';
import {
  activity,
  changePolicy,
  endKeep,
  hold,
  keep,
  logOut,
  newSession,
  type RequestEffect,
  remove,
  removeByHand,
  tombstone,
} from './requests.ts';
import { type SessionRecord, statusOf } from './session.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const policies = new PolicySet();
/** Asleep since `T0`, and deleted 24 h later. */
const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: T0 } as const;

function after(record: SessionRecord, effect: RequestEffect | null): SessionRecord {
  return { ...record, ...effect?.patch };
}
/** Returns the record once its pod sleeps, as the next status read or sleep call finds it. */
const slept = (record: SessionRecord, at: number): SessionRecord => ({ ...record, pod: 'asleep', sleptAt: at });

describe('a delete with a grace', () => {
  const logout = (change: Partial<SessionRecord> = {}, grace = HOUR) => after(example(change), logOut(example(change), grace, T0));

  it('puts the session to sleep now, ends its hold, and deletes it when the grace is over', () => {
    const leaving = logout({ holdUntil: T0 + 2 * HOUR });
    expect(leaving).toMatchObject({ cause: 'logout', holdUntil: 0 });
    expect(decide(leaving, T0)).toEqual({ kind: 'act', action: 'sleep' });
    expect(deadlines(leaving).deleteAt).toBe(T0 + HOUR);
    const sleeping = slept(leaving, T0 + 5_000);
    expect(decide(sleeping, T0 + HOUR - 1)).toEqual({ kind: 'rest', until: T0 + HOUR });
    expect(decide(sleeping, T0 + HOUR)).toMatchObject({ kind: 'want', patch: { wanted: 'gone', cause: 'logout' }, action: 'delete' });
  });

  it('replaces the deadline of the policy, whether that is sooner, later or never', () => {
    for (const policy of ['aggressive', 'conservative', { sleepAfter: 'never', deleteAfter: 'never' }]) {
      const leaving = slept(logout({ policy: policies.resolve(policy) }, 2 * HOUR), T0);
      expect(deadlines(leaving).deleteAt).toBe(T0 + 2 * HOUR);
    }
  });

  it('of a session that sleeps already leaves it asleep, and takes the cause of the request', () => {
    const leaving = logout(asleep);
    expect(statusOf(leaving)).toBe('sleeping');
    expect(decide(leaving, T0 + HOUR)).toMatchObject({ patch: { wanted: 'gone', cause: 'logout' } });
  });

  it('happens in time though the sleep call never succeeds', () => {
    expect(decide({ ...logout(), pod: 'unknown', retryAt: T0 + DAY }, T0 + HOUR)).toMatchObject({ kind: 'want', action: 'delete' });
  });

  it('is cancelled by the user, up to its last ms, by a wake and by a hold; the session is then as before', () => {
    const leaving = slept(logout(), T0);
    const back = after(leaving, activity(leaving, 'user', T0 + HOUR - 1, T0 + HOUR - 1));
    expect(back).toMatchObject({ wanted: 'awake', graceUntil: 0 });
    const now = T0 + HOUR - 1;
    expect(deadlines({ ...back, pod: 'awake' }).deleteAt).toBe(now + 15 * MINUTE + DAY);
    expect(after(leaving, hold(leaving, T0 + 2 * HOUR, T0 + 1, 'until'))).toMatchObject({ wanted: 'awake', graceUntil: 0 });
  });

  it('is not cancelled by background activity, nor by activity from before the request', () => {
    const leaving = slept(logout(), T0);
    expect(activity(leaving, 'background', T0 + 1, T0 + 1)).toBeNull();
    expect(after(leaving, activity(leaving, 'user', T0 - 1, T0 + 1))).toMatchObject({ wanted: 'asleep', graceUntil: T0 + HOUR });
  });

  it('waits for a heartbeat at its end, and moves later by the length of a gap, because the user could not come back', () => {
    const leaving = slept(logout(), T0);
    const { intake } = leaving;
    expect(decide({ ...leaving, intake: { ...intake, lastHeartbeat: T0 + HOUR - 1 } }, T0 + HOUR).kind).toBe('rest');
    expect(deadlines({ ...leaving, intake: { ...intake, lostTime: 7 * MINUTE } }).deleteAt).toBe(T0 + 67 * MINUTE);
  });

  it('starts again when Redis comes back with older data, which may lack the return of the user', () => {
    const leaving = slept(logout(), T0);
    expect(deadlines({ ...leaving, intake: { ...leaving.intake, rewoundAt: T0 + 50 * MINUTE } }).deleteAt).toBe(T0 + 110 * MINUTE);
  });

  it('is replaced by a later delete, with another grace or with none, and changes nothing once the session is being deleted', () => {
    const leaving = logout();
    expect(deadlines(after(leaving, remove(leaving, 'manual', DAY, T0 + 1))).deleteAt).toBe(T0 + 1 + DAY);
    expect(after(leaving, remove(leaving, 'manual', 0, T0 + 1))).toMatchObject({ wanted: 'gone', cause: 'manual', graceUntil: 0 });
    expect(remove(example({ wanted: 'gone' }), 'manual', HOUR, T0)).toBeNull();
  });

  it('is over once an older process has woken the session, which leaves its end in the record', () => {
    const leaving = slept(logout(), T0);
    const woken = { ...leaving, wanted: 'awake', pod: 'awake', cause: 'activity', lastActivity: T0 + 1, wokenAt: T0 + 2 } as const;
    expect(deadlines(woken).deleteAt).toBe(T0 + 2 + 15 * MINUTE + DAY);
    const again = slept({ ...woken, wanted: 'asleep', cause: 'idle' }, T0 + 2 * HOUR);
    expect(deadlines(again).deleteAt).toBe(T0 + 2 * HOUR + DAY);
    expect(decide(again, T0 + 2 * HOUR + DAY)).toMatchObject({ patch: { cause: 'delete-due' } });
  });

  it('leaves nothing in the record of a new session with the same uuid', () => {
    const leaving = slept(logout({ keepUntil: T0 + 1 }), T0);
    expect(tombstone(leaving, 'logout', T0 + HOUR)).toMatchObject({ graceUntil: 0 });
    const another = { userId: 'ada', workspaceUrl: '', policy: leaving.policy, cause: 'adopted' } as const;
    expect(newSession(another, leaving, T0 + HOUR)).toMatchObject({ graceUntil: 0, keepUntil: 0, deleteWarnedOf: 0 });
  });

  it('has its alarm, and needs no other once the pod sleeps', () => {
    const leaving = logout();
    expect(alarmsOf(leaving, T0)).toEqual([
      { name: 'sleep', at: T0 },
      { name: 'delete', at: T0 + HOUR },
    ]);
    expect(isNoLongerNeeded(slept(leaving, T0 + 1), 'sleep', T0 + 1)).toBe(true);
  });
});

describe('a session that is kept', () => {
  const kept = (change: Partial<SessionRecord> = {}) => after(example(change), keep(T0 + 3 * DAY, T0, 'until'));

  it('is deleted no earlier than the keep ends, and then at once', () => {
    const sleeping = kept(asleep);
    expect(deadlines(sleeping).deleteAt).toBe(T0 + 3 * DAY);
    expect(decide(sleeping, T0 + 3 * DAY - 1)).toEqual({ kind: 'rest', until: T0 + 3 * DAY });
    expect(decide(sleeping, T0 + 3 * DAY)).toMatchObject({ patch: { wanted: 'gone', cause: 'delete-due' } });
    const ended = after(sleeping, endKeep());
    expect(decide(ended, T0 + 2 * DAY)).toMatchObject({ patch: { wanted: 'gone' } });
  });

  it('sleeps and wakes as usual', () => {
    expect(decide(kept(), T0 + 15 * MINUTE)).toMatchObject({ patch: { wanted: 'asleep', cause: 'idle' } });
    const sleeping = kept(asleep);
    expect(after(sleeping, activity(sleeping, 'user', T0 + 1, T0 + 1))).toMatchObject({ wanted: 'awake', keepUntil: T0 + 3 * DAY });
  });

  it('is put to sleep by a logout, and not deleted by it', () => {
    for (const grace of [0, HOUR]) {
      const loggedOut = slept(after(kept(), logOut(kept(), grace, T0)), T0);
      expect(loggedOut).toMatchObject({ wanted: 'asleep', cause: 'logout', graceUntil: 0 });
      expect(deadlines(loggedOut).deleteAt).toBe(T0 + 3 * DAY);
    }
  });

  it('is deleted by hand only with force, which ends the keep and a grace', () => {
    expect(() => removeByHand(kept(), 0, false, T0)).toThrow(expect.objectContaining({ code: 'kept' }));
    expect(() => removeByHand(kept(), HOUR, false, T0)).toThrow(expect.objectContaining({ code: 'kept' }));
    const forced = after(kept(), removeByHand(kept(), 0, true, T0));
    expect(forced).toMatchObject({ wanted: 'gone', keepUntil: 0, graceUntil: 0 });
    expect(deadlines(after(kept(), removeByHand(kept(), HOUR, true, T0))).deleteAt).toBe(T0 + HOUR);
  });

  it('force is refused by name where nothing is kept', () => {
    expect(() => removeByHand(example(), 0, true, T0)).toThrow('force is only for a session that is kept');
    expect(() => removeByHand(example({ keepUntil: T0 }), 0, true, T0)).toThrow('force');
  });

  it('is not deleted by a grace that began before the keep', () => {
    const leaving = after(example(), logOut(example(), HOUR, T0));
    expect(deadlines(after(leaving, keep(T0 + DAY, T0 + 1, 'until'))).deleteAt).toBe(T0 + DAY);
  });

  it.each([T0, T0 - 1, T0 + 3_650 * DAY + 1, Number.NaN])('a keep until %s is refused', (until) => {
    expect(() => keep(until, T0, 'until')).toThrow('until must end in the future and at most 3650d ahead');
  });
});

describe('the warning before an idle delete', () => {
  const intake = { ...example().intake, deleteWarning: 2 * HOUR, deleteNotice: 2 * HOUR };
  const sleeping = (change: Partial<SessionRecord> = {}) => example({ ...asleep, intake, ...change });
  const DUE = T0 + DAY;

  it('is due its time before the delete, once, and then the delete at its own', () => {
    expect(decide(sleeping(), T0 + 21 * HOUR)).toEqual({ kind: 'rest', until: DUE - 2 * HOUR });
    expect(decide(sleeping(), DUE - 2 * HOUR)).toEqual({ kind: 'warn', of: 'delete', at: DUE });
    expect(decide(sleeping({ deleteWarnedOf: DUE }), DUE - HOUR)).toEqual({ kind: 'rest', until: DUE });
    expect(decide(sleeping({ deleteWarnedOf: DUE }), DUE)).toMatchObject({ patch: { wanted: 'gone' } });
  });

  it('does not delay a delete that is late, and waits for a heartbeat as the delete does', () => {
    expect(decide(sleeping(), DUE)).toMatchObject({ patch: { wanted: 'gone' } });
    expect(decide(sleeping({ intake: { ...intake, lastHeartbeat: DUE - 2 * HOUR - 1 } }), DUE - 2 * HOUR).kind).toBe('rest');
  });

  it('is not repeated when a gap moves the deadline, and comes again for a deadline of another day', () => {
    const warned = { deleteWarnedOf: DUE };
    expect(decide(sleeping({ ...warned, intake: { ...intake, lostTime: HOUR } }), DUE - HOUR)).toEqual({ kind: 'rest', until: DUE + HOUR });
    expect(decide(sleeping({ ...warned, sleptAt: T0 + DAY }), T0 + 2 * DAY - 2 * HOUR)).toMatchObject({ kind: 'warn', at: T0 + 2 * DAY });
  });

  it('comes before a keep ends that held the delete up', () => {
    const kept = sleeping({ keepUntil: T0 + 5 * DAY });
    expect(decide(kept, T0 + 5 * DAY - 2 * HOUR)).toEqual({ kind: 'warn', of: 'delete', at: T0 + 5 * DAY });
  });

  it('is not given for a requested delete, for short policies, while a user is there, or where warnings are off', () => {
    const until = (change: Partial<SessionRecord>, ms: number) => decide(sleeping(change), T0 + ms).kind;
    expect(until({ graceUntil: T0 + DAY, manualSleepAt: T0, cause: 'manual' }, DAY - HOUR)).toBe('rest');
    expect(until({ policy: policies.resolve({ sleepAfter: '5m', deleteAfter: '239m' }) }, 2 * HOUR)).toBe('rest');
    expect(until({ intake: example().intake }, 23 * HOUR)).toBe('rest');
    expect(decide(example({ intake }), T0 + 14 * MINUTE).kind).toBe('rest');
    expect(until({ policy: policies.resolve({ sleepAfter: '5m', deleteAfter: '4h' }) }, 2 * HOUR)).toBe('warn');
  });

  it('is the first stop of the delete’s alarm', () => {
    expect(alarmsOf(sleeping(), T0)).toEqual([{ name: 'delete', at: DUE - 2 * HOUR }]);
    expect(alarmsOf(sleeping({ deleteWarnedOf: DUE }), DUE - HOUR)).toEqual([{ name: 'delete', at: DUE }]);
    const awake = example({ intake });
    expect(alarmsOf(awake, T0)).toContainEqual({ name: 'delete', at: T0 + 15 * MINUTE + DAY - 2 * HOUR });
    expect(isNoLongerNeeded(slept({ ...awake, wanted: 'asleep' }, T0 + 15 * MINUTE), 'sleep', T0 + 15 * MINUTE)).toBe(true);
  });
});

describe('a shorter policy', () => {
  const shortened = (change: Partial<SessionRecord>, now: number, deleteNotice = 2 * HOUR) => {
    const record = example({ ...asleep, intake: { ...example().intake, deleteNotice }, ...change });
    return after(record, changePolicy(record, policies.resolve('aggressive'), 1, now));
  };

  it('leaves a session that it makes overdue DELETE_WARNING of time, and an hour at least', () => {
    expect(deadlines(shortened({}, T0 + 5 * HOUR)).deleteAt).toBe(T0 + 7 * HOUR);
    expect(deadlines(shortened({}, T0 + 5 * HOUR, 1)).deleteAt).toBe(T0 + 6 * HOUR);
    expect(decide(shortened({}, T0 + 5 * HOUR), T0 + 7 * HOUR - 1).kind).toBe('rest');
    expect(decide(shortened({}, T0 + 5 * HOUR), T0 + 7 * HOUR)).toMatchObject({ patch: { wanted: 'gone' } });
  });

  it('leaves that time too where a keep, which held the delete up, ends right after the change', () => {
    expect(deadlines(shortened({ keepUntil: T0 + 5 * HOUR + 1 }, T0 + 5 * HOUR)).deleteAt).toBe(T0 + 7 * HOUR);
  });

  it('leaves an awake session no more time, because it sleeps first', () => {
    expect(shortened({ wanted: 'awake', pod: 'awake', sleptAt: 0 }, T0 + 5 * HOUR).noticeUntil).toBe(0);
  });

  it('moves no deadline that is still ahead', () => {
    expect(deadlines(shortened({}, T0 + HOUR - 1)).deleteAt).toBe(T0 + HOUR);
  });

  it('is warned of, although its own deadline would be too short for warnings', () => {
    const intake = { ...example().intake, deleteWarning: 2 * HOUR, deleteNotice: 2 * HOUR };
    const now = T0 + 5 * HOUR;
    expect(decide(shortened({ intake }, now), now)).toEqual({ kind: 'warn', of: 'delete', at: now + 2 * HOUR });
    expect(decide(shortened({ intake, deleteWarnedOf: now + 2 * HOUR }, now), now).kind).toBe('rest');
  });

  it('deletes no session at once that never sleeps, and whose idle time is over under it', () => {
    const never = {
      wanted: 'awake',
      pod: 'awake',
      sleptAt: 0,
      policy: policies.resolve({ sleepAfter: 'never', deleteAfter: '7d' }),
    } as const;
    const record = after(example(never), changePolicy(example(never), policies.resolve('simple'), 1, T0 + 5 * HOUR));
    expect(deadlines(record).deleteAt).toBe(T0 + 6 * HOUR);
  });
});

it('nothing is decided to be deleted while it is kept, nor before its grace is over, whatever its state', () => {
  const pod = fc.constantFrom<SessionRecord['pod']>('awake', 'asleep', 'unknown');
  const time = fc.integer({ min: -3 * DAY, max: 3 * DAY }).map((ms) => T0 + ms);
  const noTime = fc.constant(0);
  fc.assert(
    fc.property(
      fc.record({
        wanted: fc.constantFrom<SessionRecord['wanted']>('awake', 'asleep'),
        pod,
        policy: fc.constantFrom(...['aggressive', 'balanced', 'simple'].map((name) => policies.resolve(name))),
        lastActivity: time,
        sleptAt: fc.oneof(noTime, time),
        policyAt: fc.oneof(noTime, time),
        manualSleepAt: time,
        keepUntil: fc.oneof(noTime, time),
        noticeUntil: fc.oneof(noTime, time),
        verifyAt: fc.oneof(noTime, time),
      }),
      fc.oneof(noTime, time),
      fc.integer({ min: 0, max: 2 * DAY }),
      (change, grace, now) => {
        const record = example({
          ...change,
          ...(change.wanted === 'asleep' && grace > 0 ? { graceUntil: grace, cause: 'logout' as const } : {}),
        });
        const decision = decide(record, T0 + now);
        if (decision.kind !== 'want' || decision.patch.wanted !== 'gone') return;
        expect(T0 + now).toBeGreaterThanOrEqual(Math.max(record.keepUntil, record.graceUntil));
      },
    ),
    { numRuns: 3_000 },
  );
});
