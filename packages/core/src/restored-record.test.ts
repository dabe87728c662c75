import { describe, expect, it } from 'vitest';
import { deadlines } from './deadlines.ts';
import { decide, isSuspect } from './decide.ts';
import { example, T0 } from './example.fixture.ts';
import { endCall } from './outcomes.ts';
import { PolicySet } from './policy.ts';
import { activity } from './requests.ts';
import { type FoundPod, restoredRecord, type SessionInLedger } from './restored-record.ts';
import { LIVE_STATUSES, type LiveStatus, type SessionRecord, statusOf } from './session.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const book = new PolicySet();
const { intake } = example();
/** An hour after the session fell asleep. */
const now = T0 + HOUR;
const bounds = { doubt: MINUTE };

function reborn(status: LiveStatus, found: FoundPod, past: Partial<SessionInLedger> = {}, outage = 0, shard = intake): SessionRecord {
  const of: SessionInLedger = {
    userId: 'ada',
    workspaceUrl: 'https://x',
    policy: book.default,
    status,
    createdAt: T0 - 9 * HOUR,
    lastActivity: T0 - 15 * MINUTE,
    sleptAt: status === 'sleeping' ? T0 : null,
    keepUntil: 0,
    ...past,
  };
  const patch = restoredRecord(of, found, { now, intake: shard, doubt: MINUTE, outage });
  return { ...example({ rev: 1 }), ...patch, intake: shard };
}

const FOUND: readonly FoundPod[] = ['awake', 'asleep', 'unread'];

describe('what is restored', () => {
  it.each(LIVE_STATUSES.flatMap((status) => FOUND.map((found) => [status, found] as const)))(
    'is never put to sleep or deleted there and then: %s, found %s',
    (status, found) => {
      const record = reborn(status, found);
      const decision = decide(record, now);
      if (status === 'deleting') return expect(decision).toEqual({ kind: 'act', action: 'delete' });
      expect(decision.kind === 'rest' || (decision.kind === 'act' && decision.action === 'wake')).toBe(true);
    },
  );

  it.each([
    ['active', 'awake', 'active'],
    ['active', 'asleep', 'waking'],
    ['active', 'unread', 'waking'],
    ['falling-asleep', 'awake', 'active'],
    ['falling-asleep', 'asleep', 'waking'],
    ['waking', 'awake', 'active'],
    ['waking', 'asleep', 'waking'],
    ['sleeping', 'asleep', 'sleeping'],
    ['sleeping', 'awake', 'active'],
    ['sleeping', 'unread', 'sleeping'],
    ['deleting', 'awake', 'deleting'],
    ['deleting', 'unread', 'deleting'],
  ] as const)('%s, found %s, is %s', (status, found, shown) => {
    expect(statusOf(reborn(status, found))).toBe(shown);
  });

  it('keeps whose it is, where and since when', () => {
    expect(reborn('active', 'awake')).toMatchObject({
      userId: 'ada',
      workspaceUrl: 'https://x',
      createdAt: T0 - 9 * HOUR,
      cause: 'restored',
    });
  });

  it('active counts as active now, and has a doubt that ends before its sleep is due', () => {
    expect(reborn('active', 'awake')).toMatchObject({ lastActivity: now, verifyAt: now + MINUTE });
    const quick = reborn('active', 'awake', { policy: { ...book.default, sleepAfter: 2_000 } });
    expect(deadlines(quick).sleepAt).toBe(now + 2_000);
    expect(decide(quick, now)).toEqual({ kind: 'rest', until: now + 2_000 });
    const outcome = { kind: 'done', pod: 'awake' } as const;
    const read = {
      ...quick,
      ...endCall(quick, { action: 'status', outcome, sentAt: now + 2_000, podBefore: 'awake', chance: 0 }, now + 2_000, bounds),
    };
    expect(decide(read, now + 2_000)).toMatchObject({ kind: 'want', patch: { wanted: 'asleep' } });
  });

  it.each([
    ['active', 'awake'],
    ['active', 'unread'],
    ['sleeping', 'asleep'],
    ['sleeping', 'unread'],
    ['sleeping', 'awake'],
    ['falling-asleep', 'asleep'],
  ] as const)('goes on being kept, and is not deleted before the keep ends: %s, found %s', (status, found) => {
    const keepUntil = now + 400 * 24 * HOUR;
    const record = reborn(status, found, { keepUntil });
    expect(record.keepUntil).toBe(keepUntil);
    expect(deadlines(record).deleteAt).toBe(keepUntil);
  });

  it('is not kept where the keep is over, or where it was being deleted', () => {
    expect(reborn('sleeping', 'asleep', { keepUntil: now }).keepUntil).toBe(0);
    expect(reborn('deleting', 'asleep', { keepUntil: now + HOUR }).keepUntil).toBe(0);
  });

  it('is not suspected of what Redis forgot before', () => {
    expect(isSuspect(reborn('active', 'awake', {}, 0, { ...intake, rewoundAt: now - 5 }))).toBe(false);
  });
});

describe('a sleeper', () => {
  const DAY = 24 * HOUR;

  it('keeps when it fell asleep and when it is to be deleted', () => {
    const record = reborn('sleeping', 'asleep');
    expect(record).toMatchObject({ sleptAt: T0, lastActivity: T0 - 15 * MINUTE });
    expect(deadlines(record).deleteAt).toBe(T0 + DAY);
    expect(deadlines(reborn('sleeping', 'asleep', { lastActivity: T0 + MINUTE })).deleteAt).toBe(T0 + MINUTE + DAY);
  });

  it('is not given the gaps that the shard has had', () => {
    expect(deadlines(reborn('sleeping', 'asleep', {}, 0, { ...intake, lostTime: 5 * HOUR })).deleteAt).toBe(T0 + DAY);
  });

  it('is given the outage, where one is known', () => {
    expect(deadlines(reborn('sleeping', 'asleep', {}, 2 * HOUR)).deleteAt).toBe(T0 + DAY + 2 * HOUR);
  });

  it('whose delete was due while no activity could arrive has all its time again', () => {
    const record = reborn('sleeping', 'asleep', { sleptAt: now - DAY, lastActivity: now - DAY - HOUR });
    expect(record.sleptAt).toBe(now - DAY);
    expect(deadlines(record).deleteAt).toBe(now + DAY);
  });

  it('whose status could not be read has all its time again', () => {
    expect(deadlines(reborn('sleeping', 'unread')).deleteAt).toBe(now + DAY);
  });

  it.each(['asleep', 'unread'] as const)('found %s and later awake was woken by another service', (found) => {
    const record = reborn('sleeping', found);
    const at = record.verifyAt;
    expect(decide(record, at)).toEqual({ kind: 'act', action: 'status' });
    const outcome = { kind: 'done', pod: 'awake' } as const;
    const read = { ...record, ...endCall(record, { action: 'status', outcome, sentAt: at, podBefore: 'asleep', chance: 0 }, at, bounds) };
    expect(statusOf(read)).toBe('active');
    expect(read).toMatchObject({ lastActivity: at, cause: 'restored' });
  });

  it('whose delete was due while it was kept has all its time again once the keep is over', () => {
    const record = reborn('sleeping', 'asleep', { sleptAt: now - 9 * DAY, lastActivity: now - 9 * DAY, keepUntil: now + HOUR });
    expect(deadlines(record).deleteAt).toBe(now + DAY);
  });

  it('whose grace was running is deleted when its policy says: the ledger has no grace', () => {
    const record = reborn('sleeping', 'asleep');
    expect(record.graceUntil).toBe(0);
    expect(deadlines(record).deleteAt).toBe(T0 + DAY);
  });

  it('wakes for its user', () => {
    const record = reborn('sleeping', 'asleep');
    expect(statusOf({ ...record, ...activity(record, 'user', now, now)?.patch })).toBe('waking');
  });

  it('that is never deleted is not deleted after a restore either', () => {
    expect(deadlines(reborn('sleeping', 'unread', { policy: { ...book.default, deleteAfter: null } })).deleteAt).toBeNull();
  });
});
