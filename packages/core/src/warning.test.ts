import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alarmsOf, nextRingAt } from './alarms.ts';
import { deadlines } from './deadlines.ts';
import { decide } from './decide.ts';
import { example, T0 } from './example.fixture.ts';
import type { SessionRecord } from './session.ts';

const MINUTE = 60_000;
const SLEEP_AT = T0 + 15 * MINUTE;

/** Returns a session of `balanced` for which warnings come a minute before the sleep. */
function warned(change: Partial<SessionRecord> = {}): SessionRecord {
  const record = example(change);
  return { ...record, intake: { ...record.intake, warning: MINUTE, ...change.intake } };
}
const at = (ms: number, change: Partial<SessionRecord> = {}) => decide(warned(change), T0 + ms);

describe('a warning', () => {
  it('is due its time before the sleep, and then the sleep at its own', () => {
    expect(at(14 * MINUTE - 1)).toEqual({ kind: 'rest', until: T0 + 14 * MINUTE });
    expect(at(14 * MINUTE)).toEqual({ kind: 'warn', of: 'sleep', at: SLEEP_AT });
    expect(at(14 * MINUTE, { warnedOf: SLEEP_AT })).toEqual({ kind: 'rest', until: SLEEP_AT });
    expect(at(15 * MINUTE, { warnedOf: SLEEP_AT })).toMatchObject({ kind: 'want', patch: { wanted: 'asleep' } });
  });

  it('does not delay a sleep: a session that is late falls asleep without one', () => {
    expect(at(15 * MINUTE)).toMatchObject({ kind: 'want', patch: { wanted: 'asleep' } });
  });

  it('is not given once the sleep is due, though the sleep still waits for a heartbeat', () => {
    const { intake } = warned();
    const afterBeat = { intake: { ...intake, lastHeartbeat: SLEEP_AT - 1 } };
    expect(at(15 * MINUTE + 3, afterBeat)).toEqual({ kind: 'rest', until: SLEEP_AT + 3 + 5 });
  });

  it('is given anew for another deadline', () => {
    expect(at(16 * MINUTE, { warnedOf: SLEEP_AT, lastActivity: T0 + 2 * MINUTE })).toEqual({
      kind: 'warn',
      of: 'sleep',
      at: T0 + 17 * MINUTE,
    });
    expect(at(29 * MINUTE, { warnedOf: SLEEP_AT, holdUntil: T0 + 30 * MINUTE })).toEqual({
      kind: 'warn',
      of: 'sleep',
      at: T0 + 30 * MINUTE,
    });
  });

  it('is not given for a session that is asleep, wakes, or is in doubt', () => {
    const states = [{ wanted: 'asleep', pod: 'asleep', sleptAt: T0 }, { pod: 'asleep' }, { verifyAt: T0 + 20 * MINUTE }] as const;
    for (const state of states) expect(at(14 * MINUTE, state).kind).not.toBe('warn');
  });

  it('is not given where the policy is shorter than twice its time, or never sleeps', () => {
    for (const sleepAfter of [2 * MINUTE - 1, null]) {
      const policy = { ...example().policy, sleepAfter, deleteAfter: 60 * MINUTE };
      for (let ms = 0; ms < 60 * MINUTE; ms += MINUTE / 2) expect(at(ms, { policy }).kind).not.toBe('warn');
    }
    expect(at(MINUTE, { policy: { ...example().policy, sleepAfter: 2 * MINUTE } }).kind).toBe('warn');
  });

  it('waits for a heartbeat, as the sleep does, because no activity could arrive', () => {
    const { intake } = warned();
    expect(at(14 * MINUTE, { intake: { ...intake, lastHeartbeat: T0 + 14 * MINUTE - 1 } }).kind).toBe('rest');
  });

  it('is the first stop of the sleep’s alarm, which then moves to the sleep', () => {
    expect(alarmsOf(warned(), T0)).toContainEqual({ name: 'sleep', at: T0 + 14 * MINUTE });
    expect(nextRingAt(warned({ warnedOf: SLEEP_AT }), 'sleep', SLEEP_AT, T0 + 14 * MINUTE)).toBe(SLEEP_AT);
  });

  it('never leaves the alarm later than what comes next, whenever activity arrives', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600_000 }),
        fc.double({ min: 2, max: 100, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (warning, factor, when) => {
          const sleepAfter = Math.ceil(warning * factor);
          const policy = { ...example().policy, sleepAfter };
          const record = { ...example({ policy }), intake: { ...example().intake, warning } };
          const { sleepAt } = deadlines(record);
          // The warning was sent, so the alarm is set for the sleep itself. Then activity arrives.
          const now = Math.min(sleepAt! - 1, Math.floor(sleepAt! - warning + when * warning));
          const [next] = alarmsOf({ ...record, warnedOf: sleepAt!, lastActivity: now }, now);
          expect(next!.at).toBeGreaterThanOrEqual(sleepAt! - 1);
        },
      ),
    );
  });
});
