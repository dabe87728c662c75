import { describe, expect, it } from 'vitest';
import { deadlines } from './deadlines.ts';
import { example, T0 } from './example.fixture.ts';
import { isSuspect, look } from './look.ts';
import { end } from './outcomes.ts';
import { PolicyBook } from './policy.ts';
import { type Found, type Past, rebirth } from './rebirth.ts';
import { activity } from './requests.ts';
import { LIVE_STATUSES, type LiveStatus, type SessionRecord, statusOf } from './session.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const book = new PolicyBook();
const { ingest } = example();
/** An hour after the session fell asleep. */
const now = T0 + HOUR;
const bounds = { doubt: MINUTE };

function reborn(status: LiveStatus, found: Found, past: Partial<Past> = {}, outage = 0, shard = ingest): SessionRecord {
  const of: Past = {
    userId: 'ada',
    workspaceUrl: 'https://x',
    policy: book.default,
    status,
    createdAt: T0 - 9 * HOUR,
    lastActivity: T0 - 15 * MINUTE,
    sleptAt: status === 'sleeping' ? T0 : null,
    ...past,
  };
  const patch = rebirth(of, found, { now, ingest: shard, doubt: MINUTE, outage });
  return { ...example({ rev: 1 }), ...patch, ingest: shard };
}

const FOUND: readonly Found[] = ['awake', 'asleep', 'unread'];

describe('what is restored', () => {
  it.each(LIVE_STATUSES.flatMap((status) => FOUND.map((found) => [status, found] as const)))(
    'is never put to sleep or deleted there and then: %s, found %s',
    (status, found) => {
      const record = reborn(status, found);
      const decision = look(record, now);
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
    expect(look(quick, now)).toEqual({ kind: 'rest', until: now + 2_000 });
    const outcome = { kind: 'done', pod: 'awake' } as const;
    const read = {
      ...quick,
      ...end(quick, { action: 'status', outcome, sentAt: now + 2_000, podBefore: 'awake', chance: 0 }, now + 2_000, bounds),
    };
    expect(look(read, now + 2_000)).toMatchObject({ kind: 'want', patch: { wanted: 'asleep' } });
  });

  it('is not suspected of what Redis forgot before', () => {
    expect(isSuspect(reborn('active', 'awake', {}, 0, { ...ingest, rewound: now - 5 }))).toBe(false);
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
    expect(deadlines(reborn('sleeping', 'asleep', {}, 0, { ...ingest, lost: 5 * HOUR })).deleteAt).toBe(T0 + DAY);
  });

  it('is given the outage, where one is known', () => {
    expect(deadlines(reborn('sleeping', 'asleep', {}, 2 * HOUR)).deleteAt).toBe(T0 + DAY + 2 * HOUR);
  });

  it('whose delete passed while nobody could come has all its time again', () => {
    const record = reborn('sleeping', 'asleep', { sleptAt: now - DAY, lastActivity: now - DAY - HOUR });
    expect(record.sleptAt).toBe(now - DAY);
    expect(deadlines(record).deleteAt).toBe(now + DAY);
  });

  it('whose pod nobody could look at has all its time again', () => {
    expect(deadlines(reborn('sleeping', 'unread')).deleteAt).toBe(now + DAY);
  });

  it.each(['asleep', 'unread'] as const)('found %s and later awake was woken by somebody', (found) => {
    const record = reborn('sleeping', found);
    const at = record.verifyAt;
    expect(look(record, at)).toEqual({ kind: 'act', action: 'status' });
    const outcome = { kind: 'done', pod: 'awake' } as const;
    const read = { ...record, ...end(record, { action: 'status', outcome, sentAt: at, podBefore: 'asleep', chance: 0 }, at, bounds) };
    expect(statusOf(read)).toBe('active');
    expect(read).toMatchObject({ lastActivity: at, cause: 'restored' });
  });

  it('wakes for its user', () => {
    const record = reborn('sleeping', 'asleep');
    expect(statusOf({ ...record, ...activity(record, 'user', now, now)?.patch })).toBe('waking');
  });

  it('that is never deleted is not', () => {
    expect(deadlines(reborn('sleeping', 'unread', { policy: { ...book.default, deleteAfter: null } })).deleteAt).toBeNull();
  });
});
