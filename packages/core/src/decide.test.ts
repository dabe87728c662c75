import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AlarmName, alarmsOf, isNoLongerNeeded, nextRingAt } from './alarms.ts';
import { deadlines } from './deadlines.ts';
import { decide } from './decide.ts';
import { example, T0 } from './example.fixture.ts';
import { takeOver } from './outcomes.ts';
import { PolicySet } from './policy.ts';
import type { Action, Pod, SessionRecord, Wanted } from './session.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const bounds = { doubt: MINUTE };
const book = new PolicySet();
const at = (ms: number, change: Partial<SessionRecord> = {}) => decide(example(change), T0 + ms);

describe('a decision', () => {
  it('lets an active session be until its deadline, and not a moment longer', () => {
    expect(at(15 * MINUTE - 1)).toEqual({ kind: 'rest', until: T0 + 15 * MINUTE });
    expect(at(15 * MINUTE)).toMatchObject({ kind: 'want', patch: { wanted: 'asleep', cause: 'idle' } });
  });

  it('acts until the pod is as wanted', () => {
    expect(at(15 * MINUTE, { wanted: 'asleep', cause: 'idle' })).toEqual({ kind: 'act', action: 'sleep' });
    expect(at(1, { pod: 'asleep' })).toEqual({ kind: 'act', action: 'wake' });
    expect(at(1, { pod: 'unknown' })).toEqual({ kind: 'act', action: 'wake' });
    expect(at(1, { wanted: 'gone' })).toEqual({ kind: 'act', action: 'delete' });
  });

  it('says which call follows from what it wants, unless the session-manager asked for a pause', () => {
    expect(at(15 * MINUTE)).toMatchObject({ kind: 'want', action: 'sleep' });
    expect(at(48 * HOUR, { wanted: 'asleep', pod: 'asleep' })).toMatchObject({ kind: 'want', action: 'delete' });
    expect(at(15 * MINUTE, { notBefore: T0 + HOUR })).toMatchObject({ kind: 'want', action: null });
    // What failed before was another call.
    expect(at(15 * MINUTE, { failures: 3, retryAt: T0 + HOUR })).toMatchObject({ kind: 'want', action: 'sleep' });
  });

  it('never decides an idle sleep on a pod that is not awake: the wake has not been served', () => {
    expect(at(20 * MINUTE, { pod: 'asleep' })).toEqual({ kind: 'act', action: 'wake' });
    expect(at(20 * MINUTE, { pod: 'unknown' })).toEqual({ kind: 'act', action: 'wake' });
  });

  it('never decides an idle sleep while a doubt is open', () => {
    expect(at(15 * MINUTE, { verifyAt: T0 + 16 * MINUTE })).toEqual({ kind: 'rest', until: T0 + 16 * MINUTE });
    expect(at(16 * MINUTE, { verifyAt: T0 + 16 * MINUTE })).toEqual({ kind: 'act', action: 'status' });
  });

  it('pursues what is wanted while a doubt is open', () => {
    expect(at(1, { pod: 'unknown', verifyAt: T0 + HOUR })).toEqual({ kind: 'act', action: 'wake' });
  });

  it('rests while a call is in flight and takes over, doubting, once its lease ran out', () => {
    const flying = { action: 'wake', token: 't', actionUntil: T0 + 8_000, pod: 'unknown' } as const;
    expect(at(7_999, flying)).toEqual({ kind: 'rest', until: T0 + 8_000 });
    expect(at(8_000, flying)).toEqual({ kind: 'take-over' });
    expect(takeOver(example(flying), T0 + 8_000, bounds)).toEqual({
      action: '',
      token: '',
      actionUntil: 0,
      pod: 'unknown',
      verifyAt: T0 + 8_000 + bounds.doubt,
    });
  });

  it('keeps the later of two doubts', () => {
    expect(takeOver(example({ action: 'sleep', verifyAt: T0 + HOUR }), T0, bounds)).toMatchObject({ verifyAt: T0 + HOUR });
  });

  it('doubts nothing after a status read that was not finished', () => {
    expect(takeOver(example({ action: 'status' }), T0, bounds)).not.toHaveProperty('verifyAt');
  });

  it('waits out its own back-off and the Retry-After of the session-manager', () => {
    expect(at(1, { pod: 'asleep', retryAt: T0 + 500 })).toEqual({ kind: 'rest', until: T0 + 500 });
    expect(at(501, { pod: 'asleep', retryAt: T0 + 500, notBefore: T0 + 900 })).toEqual({ kind: 'rest', until: T0 + 900 });
  });

  it('deletes after the time asleep, counted from the later of falling asleep and the last activity', () => {
    const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: T0 + HOUR } as const;
    expect(at(25 * HOUR - 1, asleep)).toEqual({ kind: 'rest', until: T0 + 25 * HOUR });
    expect(at(25 * HOUR, asleep)).toMatchObject({ kind: 'want', patch: { wanted: 'gone', cause: 'delete-due' } });
    expect(at(25 * HOUR, { ...asleep, lastActivity: T0 + 2 * HOUR })).toEqual({ kind: 'rest', until: T0 + 26 * HOUR });
  });

  it('deletes in the end even if sleeping never succeeds', () => {
    const stuck = { wanted: 'asleep', pod: 'unknown', cause: 'idle', retryAt: T0 + 48 * HOUR } as const;
    expect(at(24 * HOUR + 15 * MINUTE, stuck)).toMatchObject({ kind: 'want', patch: { wanted: 'gone' } });
  });

  it('does nothing at all for a session under which nothing is due, ever', () => {
    const never = book.resolve({ sleepAfter: 'never', deleteAfter: 'never' });
    expect(at(365 * 24 * HOUR, { policy: never })).toEqual({ kind: 'rest', until: null });
    expect(alarmsOf(example({ policy: never }), T0)).toEqual([]);
  });

  it('is over when the pod is gone', () => {
    expect(at(HOUR, { wanted: 'gone', pod: 'gone' })).toEqual({ kind: 'over' });
  });
});

describe('deadlines', () => {
  it('background activity postpones the sleep, never past its cap', () => {
    const capped = { lastBackground: T0 + 10 * HOUR };
    expect(deadlines(example({ lastBackground: T0 + MINUTE })).sleepAt).toBe(T0 + 16 * MINUTE);
    expect(deadlines(example(capped)).sleepAt).toBe(T0 + 4 * HOUR);
  });

  it('a cap below sleepAfter takes nothing from the user', () => {
    const policy = book.resolve({ sleepAfter: '12h', deleteAfter: '1d', backgroundCap: '1h' });
    expect(deadlines(example({ policy, lastBackground: T0 + HOUR })).sleepAt).toBe(T0 + 12 * HOUR);
  });

  it('a hold keeps awake, activity or not', () => {
    expect(deadlines(example({ holdUntil: T0 + 5 * HOUR })).sleepAt).toBe(T0 + 5 * HOUR);
  });

  it('simple: deleted when idle, hold and background likewise', () => {
    const policy = book.resolve('simple');
    expect(deadlines(example({ policy }))).toMatchObject({ sleepAt: null, deleteAt: T0 + 30 * MINUTE });
    expect(deadlines(example({ policy, holdUntil: T0 + HOUR })).deleteAt).toBe(T0 + HOUR);
  });

  it('put to sleep by hand under sleepAfter never: deleted after deleteAfter asleep', () => {
    const asleep = { policy: book.resolve('simple'), wanted: 'asleep', pod: 'asleep', cause: 'manual', sleptAt: T0 + HOUR } as const;
    expect(deadlines(example(asleep)).deleteAt).toBe(T0 + 90 * MINUTE);
  });
});

describe('alarms', () => {
  const wanted = fc.constantFrom<Wanted>('awake', 'asleep', 'gone');
  const pod = fc.constantFrom<Pod>('awake', 'asleep', 'unknown');
  const action = fc.constantFrom<Action | ''>('', '', 'sleep', 'wake', 'delete', 'status');
  const policy = fc.constantFrom(...['balanced', 'aggressive', 'simple'].map((name) => book.resolve(name)));
  const offset = fc.oneof(
    fc.constant(0),
    fc.integer({ min: -48 * HOUR, max: 48 * HOUR }).map((ms) => T0 + ms),
  );

  it('every session that is not gone has one, at or before its next step, whatever its state', () => {
    fc.assert(
      fc.property(
        fc.record({
          wanted,
          pod,
          action,
          policy,
          actionUntil: offset,
          verifyAt: offset,
          retryAt: offset,
          notBefore: offset,
          sleptAt: offset,
          holdUntil: offset,
        }),
        (change) => {
          const record = example(change);
          const decision = decide(record, T0);
          const next = decision.kind === 'rest' ? decision.until : T0;
          const alarms = alarmsOf(record, T0);
          expect(next).not.toBeNull();
          expect(Math.min(...alarms.map((alarm) => alarm.at))).toBeLessThanOrEqual(next ?? 0);
          if (decision.kind === 'rest' && decision.until !== null) {
            for (const { name } of alarms) expect(nextRingAt(record, name, decision.until, T0)).toBeGreaterThan(T0);
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('an alarm that rings while a call is in flight does not wait for the end of its lease', () => {
    const policy = { ...book.default, deleteAfter: 1_000 };
    const falling = example({ policy, wanted: 'asleep', pod: 'unknown', cause: 'idle', action: 'sleep', actionUntil: T0 + 20 * MINUTE });
    const now = T0 + 16 * MINUTE;
    expect(nextRingAt(falling, 'delete', falling.actionUntil, now)).toBe(now + 500);
    expect(nextRingAt(falling, 'delete', now + 100, now)).toBe(now + 100);
  });

  it('an active session has its sleep and, behind it, the delete that comes if sleeping never succeeds', () => {
    expect(alarmsOf(example(), T0)).toEqual([
      { name: 'sleep', at: T0 + 15 * MINUTE },
      { name: 'delete', at: T0 + 15 * MINUTE + 24 * HOUR },
    ]);
  });

  it('no alarm of an awake session stands behind an open doubt', () => {
    expect(alarmsOf(example({ verifyAt: T0 + 1_000 }), T0)[0]).toEqual({ name: 'sleep', at: T0 + 1_000 });
  });
});

describe('a sleep alarm', () => {
  const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: T0 + 16 * MINUTE } as const;
  const served = (change: Partial<SessionRecord>, name: AlarmName = 'sleep') => isNoLongerNeeded(example(change), name, T0 + 16 * MINUTE);

  it('is served once the session sleeps and only its delete is left, or nothing at all', () => {
    expect(served(asleep)).toBe(true);
    expect(served({ ...asleep, policy: { ...book.default, deleteAfter: null } })).toBe(true);
  });

  it.each<[string, Partial<SessionRecord>, AlarmName?]>([
    ['its own delete', asleep, 'delete'],
    ['a wake', asleep, 'wake'],
    ['a session that is awake', {}],
    ['a session that is being woken', { ...asleep, wanted: 'awake' }],
    ['a sleep that failed', { ...asleep, pod: 'unknown', retryAt: T0 + HOUR }],
    ['a sleeper whose status is to be read', { ...asleep, verifyAt: T0 + HOUR }],
    ['a call in flight', { ...asleep, action: 'status', actionUntil: T0 + HOUR }],
    ['a delete that is due', { ...asleep, sleptAt: T0 - 25 * HOUR, lastActivity: T0 - 26 * HOUR }],
  ])('but not with %s', (_, change, name) => expect(served(change, name)).toBe(false));

  it('is not served where its delete became due earlier than it was', () => {
    const moment = fc.integer({ min: -HOUR, max: HOUR }).map((ms) => T0 + ms);
    fc.assert(
      fc.property(fc.record({ lastActivity: moment, manualSleepAt: moment, cause: fc.constantFrom('idle', 'manual') }), (change) => {
        const falling = example({ ...change, wanted: 'asleep', pod: 'unknown' });
        const { sleepAt, deleteAt } = deadlines(falling);
        // The pod can only have fallen asleep after the sleep was decided.
        const sleptAt = falling.cause === 'idle' ? sleepAt! : Math.max(falling.manualSleepAt, falling.lastActivity);
        const fallen = example({ ...change, wanted: 'asleep', pod: 'asleep', sleptAt });
        expect(isNoLongerNeeded(fallen, 'sleep', sleptAt)).toBe(true);
        expect(deadlines(fallen).deleteAt).toBeGreaterThanOrEqual(deleteAt!);
      }),
    );
  });
});
