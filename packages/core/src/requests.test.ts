import { describe, expect, it } from 'vitest';
import { deadlines } from './deadlines.ts';
import { example, T0 } from './example.fixture.ts';
import { beginCall, callBackoff, endCall } from './outcomes.ts';
import { activity, assertLive, hold, newSession, remove, sleepByHand } from './requests.ts';
import { type SessionRecord, statusOf } from './session.ts';

const MINUTE = 60_000;
const bounds = { doubt: MINUTE };
const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: T0 } as const;
const after = (record: SessionRecord, change: { patch: object } | null) => ({ ...record, ...change?.patch });

describe('activity', () => {
  it('wakes a sleeping session', () => {
    const change = activity(example(asleep), 'user', T0 + MINUTE, T0 + MINUTE);
    expect(change?.alarms).toBe(true);
    expect(statusOf(after(example(asleep), change))).toBe('waking');
  });

  it('from before the last manual sleep is recorded and wakes nothing', () => {
    const change = activity(example({ ...asleep, manualSleepAt: T0 + 5_000 }), 'user', T0 + 4_999, T0 + 6_000);
    expect(change).toEqual({ patch: { lastActivity: T0 + 4_999 }, alarms: false });
  });

  it('so old that the session would be idle by now wakes nothing', () => {
    expect(activity(example(asleep), 'user', T0, T0 + 15 * MINUTE)?.patch).not.toHaveProperty('wanted');
  });

  it('in the future counts as now, in the past moves nothing backwards', () => {
    expect(activity(example(), 'user', T0 + 9e9, T0 + 5)?.patch.lastActivity).toBe(T0 + 5);
    expect(activity(example(), 'user', T0 - 9e9, T0 + 5)?.patch.lastActivity).toBe(T0);
  });

  it('of a background kind wakes nothing', () => {
    expect(activity(example(asleep), 'background', T0, T0)).toBeNull();
  });

  it('after a failed sleep does not wait for that sleep’s back-off', () => {
    const failing = example({ wanted: 'asleep', pod: 'unknown', cause: 'idle', failures: 9, failingSince: T0, retryAt: T0 + 15_000 });
    expect(activity(failing, 'user', T0, T0)?.patch).toMatchObject({ retryAt: 0, failures: 0 });
  });
});

describe('by hand', () => {
  it('a sleep ends a hold', () => {
    expect(sleepByHand(example({ holdUntil: T0 + MINUTE }), T0).patch).toMatchObject({ wanted: 'asleep', holdUntil: 0, manualSleepAt: T0 });
  });

  it('begins the time asleep anew where the pod sleeps still, because its wake failed', () => {
    const waking = example({ ...asleep, wanted: 'awake', cause: 'activity', lastActivity: T0 + MINUTE });
    const record = after(waking, sleepByHand(waking, T0 + 900 * MINUTE));
    expect(deadlines(record).deleteAt).toBe(T0 + 900 * MINUTE + record.policy.deleteAfter!);
    const again = after(record, sleepByHand(record, T0 + 901 * MINUTE));
    expect(deadlines(again).deleteAt).toBe(deadlines(record).deleteAt);
  });

  it('a hold wakes a sleeping session', () => {
    expect(hold(example(asleep), T0 + MINUTE, T0, 'until')).toMatchObject({
      patch: { wanted: 'awake', holdUntil: T0 + MINUTE },
      alarms: true,
    });
  });

  it.each([T0, T0 - 1, T0 + 24 * 60 * MINUTE + 1, Number.NaN])('a hold until %s is refused', (until) => {
    expect(() => hold(example(), until, T0, 'until')).toThrow('until must end in the future and at most 24h ahead');
  });

  it('deleting twice changes nothing the second time', () => {
    expect(remove(example({ wanted: 'gone' }), 'manual', 0, T0)).toBeNull();
  });
});

describe('the end of a call', () => {
  const ended = (
    record: SessionRecord,
    action: 'sleep' | 'wake' | 'delete' | 'status',
    outcome: Parameters<typeof endCall>[1]['outcome'],
    sentAt = T0,
  ) => after(record, { patch: endCall(record, { action, outcome, sentAt, podBefore: 'awake', chance: 0 }, T0, bounds) });
  const sleeping = example({ wanted: 'asleep', cause: 'idle', ...beginCall('sleep', 't') });

  it('done: the pod is what the call made it, and the failures are over', () => {
    expect(ended({ ...sleeping, failures: 3 }, 'sleep', { kind: 'done' })).toMatchObject({
      pod: 'asleep',
      sleptAt: T0,
      failures: 0,
      action: '',
    });
  });

  it('done, but the user came meanwhile: to be woken', () => {
    expect(statusOf(ended({ ...sleeping, wanted: 'awake' }, 'sleep', { kind: 'done' }))).toBe('waking');
  });

  it('a wake done counts as activity, and is not shown as the user’s own', () => {
    const woken = ended(example({ ...beginCall('wake', 't'), lastActivity: T0 - 20 * MINUTE }), 'wake', { kind: 'done' });
    expect(woken.lastActivity).toBe(T0 - 20 * MINUTE);
    expect(deadlines(woken)).toMatchObject({ sleepAt: T0 + 15 * MINUTE, deleteAt: T0 + (15 + 24 * 60) * MINUTE });
    expect(ended(sleeping, 'sleep', { kind: 'done' }).wokenAt).toBe(0);
  });

  it('unknown: a doubt, with a back-off', () => {
    expect(ended(sleeping, 'sleep', { kind: 'unknown', error: 'timed out' })).toMatchObject({
      pod: 'unknown',
      verifyAt: T0 + bounds.doubt,
      retryAt: T0 + 250,
      lastError: 'sleep: timed out',
    });
  });

  it('failed after the user came: the wake does not wait for the back-off of the sleep', () => {
    expect(ended({ ...sleeping, wanted: 'awake' }, 'sleep', { kind: 'transient', sent: true, error: 'HTTP 500' }).retryAt).toBe(0);
  });

  it('refused connection: the pod is what it was, and nothing is in doubt', () => {
    expect(ended(sleeping, 'sleep', { kind: 'transient', sent: false, error: 'refused' })).toMatchObject({ pod: 'awake', verifyAt: 0 });
  });

  const missing = { kind: 'gone' } as const;

  it('404 confirmed: deleted, and the doubt stays with the tombstone', () => {
    const dead = ended({ ...sleeping, verifyAt: T0 + 5, missingSince: T0 - 10_000 }, 'sleep', missing);
    expect(dead).toMatchObject({ pod: 'gone', cause: 'gone', deletedAt: T0, verifyAt: T0 + 5, missingSince: 0 });
    expect(newSession({ userId: 'ada', workspaceUrl: '', policy: dead.policy, cause: 'created' }, dead, T0).verifyAt).toBe(T0 + 5);
  });

  it.each([
    ['the first', {}, T0 + 10_000],
    ['a second that comes within 10 s of it', { missingSince: T0 - 9_999 }, T0 + 1],
    ['a second on a session that is tracked for less than 30 s', { missingSince: T0 - 15_000, createdAt: T0 - 20_000 }, T0 + 10_000],
  ])('404, %s: the session is as it was, and its status is read again', (_, change, again) => {
    const record = example({ ...beginCall('sleep', 't'), wanted: 'asleep', cause: 'idle', ...change });
    const undecided = ended(record, 'sleep', missing);
    expect(undecided).toMatchObject({ wanted: 'asleep', pod: 'awake', deletedAt: 0, failures: 1, verifyAt: again, retryAt: again });
    expect(undecided.missingSince).toBe(record.missingSince || T0);
    expect(statusOf(undecided)).toBe('falling-asleep');
    const found = { kind: 'done', pod: 'awake' } as const;
    expect(ended(undecided, 'status', found, again)).toMatchObject({ missingSince: 0, verifyAt: 0, failures: 0 });
    // This status was read before `verifyAt`, because the doubt was extended meanwhile.
    expect(ended(undecided, 'status', found, again - 1)).toMatchObject({ missingSince: 0, verifyAt: again });
  });

  it('404 that lay unread while its process was paused: as old as its call', () => {
    const record = example({ ...beginCall('sleep', 't'), wanted: 'asleep', missingSince: T0 - 15_000 });
    const read = (sentAt: number) =>
      endCall(record, { action: 'sleep', outcome: missing, sentAt, podBefore: 'awake', chance: 0 }, T0, bounds);
    expect(read(T0 - 5_001).pod).toBe('awake');
    expect(read(T0 - 5_000).pod).toBe('gone');
  });

  it('404 while a later doubt is open: the doubt stays as long as it was', () => {
    expect(ended({ ...sleeping, verifyAt: T0 + MINUTE }, 'sleep', missing).verifyAt).toBe(T0 + MINUTE);
  });

  it('404 to a wake: its user gets another try soon', () => {
    const waking = example({ ...beginCall('wake', 't'), pod: 'unknown' });
    expect(ended(waking, 'wake', missing)).toMatchObject({ retryAt: T0 + 250, verifyAt: T0 + 10_000 });
    expect(ended({ ...waking, failures: 9 }, 'wake', missing).retryAt).toBe(T0 + 10_000);
  });

  it('404 to a delete is confirmed by another delete, and keeps the cause', () => {
    const deleting = example({ ...beginCall('delete', 't'), wanted: 'gone', cause: 'logout' });
    const undecided = ended(deleting, 'delete', missing);
    expect(undecided).toMatchObject({ pod: 'awake', retryAt: T0 + 10_000, verifyAt: 0 });
    expect(statusOf(undecided)).toBe('deleting');
    expect(ended({ ...undecided, missingSince: T0 - 10_000 }, 'delete', missing)).toMatchObject({ pod: 'gone', cause: 'logout' });
  });

  it('404: a failure in between says nothing of the session, a definite answer begins anew', () => {
    const undecided = { ...sleeping, missingSince: T0 - 5_000 };
    expect(ended(undecided, 'sleep', { kind: 'transient', sent: true, error: 'HTTP 500' }).missingSince).toBe(T0 - 5_000);
    expect(ended(undecided, 'sleep', { kind: 'permanent', error: 'HTTP 400' }).missingSince).toBe(0);
    expect(ended(undecided, 'sleep', { kind: 'done' }).missingSince).toBe(0);
  });

  it('only a status read ends a doubt', () => {
    const doubtful = { ...sleeping, verifyAt: T0 };
    expect(ended(doubtful, 'sleep', { kind: 'done' }).verifyAt).toBe(T0);
    expect(ended(doubtful, 'status', { kind: 'done', pod: 'awake' })).toMatchObject({ verifyAt: 0, pod: 'awake' });
    expect(ended(doubtful, 'status', { kind: 'transient', sent: true, error: 'HTTP 500' }).verifyAt).toBe(T0 + 250);
  });

  it('a Retry-After is obeyed for 5 minutes at most, and for 15 s where a user waits for a wake', () => {
    const heldUntil = (record: SessionRecord, action: 'sleep' | 'wake' | 'status', retryAfter: number) =>
      ended(record, action, { kind: 'transient', sent: false, error: 'HTTP 429', retryAfter }).notBefore - T0;
    expect(heldUntil(sleeping, 'sleep', 7_000)).toBe(7_000);
    expect(heldUntil(sleeping, 'sleep', 86_400_000)).toBe(300_000);
    expect(heldUntil(example({ pod: 'unknown' }), 'wake', 7_000)).toBe(7_000);
    expect(heldUntil(example({ pod: 'unknown' }), 'wake', 60_000)).toBe(15_000);
    // A status read may find the pod asleep while the user waits.
    expect(heldUntil(example(), 'status', 60_000)).toBe(15_000);
  });

  it('a Retry-After that answered a sleep delays the wake of a returning user by 15 s at most', () => {
    const held = example({ ...asleep, pod: 'unknown', notBefore: T0 + 60_000 });
    expect(activity(held, 'user', T0 + 1_000, T0 + 1_000)?.patch.notBefore).toBe(T0 + 16_000);
    expect(hold(held, T0 + MINUTE, T0 + 1_000, 'until').patch.notBefore).toBe(T0 + 16_000);
    expect(activity({ ...held, notBefore: T0 + 2_000 }, 'user', T0 + 1_000, T0 + 1_000)?.patch.notBefore).toBe(T0 + 2_000);
  });
});

it('backs off to 15 s, to 5 minutes where it was refused', () => {
  expect([1, 2, 3, 20, 2_000].map((failures) => callBackoff('transient', failures, 0))).toEqual([250, 500, 1_000, 15_000, 15_000]);
  expect(callBackoff('permanent', 50, 1)).toBe(225_000);
});

it('remembers a deleted session for 24 h', () => {
  const dead = example({ wanted: 'gone', pod: 'gone', deletedAt: T0 });
  expect(() => assertLive(dead, 'x', T0 + 24 * 60 * MINUTE - 1)).toThrowError(expect.objectContaining({ code: 'session-deleted' }));
  expect(() => assertLive(dead, 'x', T0 + 24 * 60 * MINUTE)).toThrowError(expect.objectContaining({ code: 'session-not-found' }));
  expect(() => assertLive(example({ wanted: 'gone' }), 'x', T0, true)).not.toThrow();
});
