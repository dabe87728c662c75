import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alarmsOf, restingPlace } from './alarms.ts';
import { deadlines } from './deadlines.ts';
import { example, T0 } from './example.fixture.ts';
import { look } from './look.ts';
import type { SessionRecord } from './session.ts';

const MINUTE = 60_000;
const SLEEP_AT = T0 + 15 * MINUTE;

/** Returns a session of `balanced` for which warnings come a minute before the sleep. */
function warned(change: Partial<SessionRecord> = {}): SessionRecord {
  const record = example(change);
  return { ...record, ingest: { ...record.ingest, warning: MINUTE, ...change.ingest } };
}
const at = (ms: number, change: Partial<SessionRecord> = {}) => look(warned(change), T0 + ms);

describe('a warning', () => {
  it('is due its time before the sleep, and then the sleep at its own', () => {
    expect(at(14 * MINUTE - 1)).toEqual({ kind: 'rest', until: T0 + 14 * MINUTE });
    expect(at(14 * MINUTE)).toEqual({ kind: 'warn', sleepAt: SLEEP_AT });
    expect(at(14 * MINUTE, { warnedOf: SLEEP_AT })).toEqual({ kind: 'rest', until: SLEEP_AT });
    expect(at(15 * MINUTE, { warnedOf: SLEEP_AT })).toMatchObject({ kind: 'want', patch: { wanted: 'asleep' } });
  });

  it('holds up no sleep: what is late falls asleep unwarned', () => {
    expect(at(15 * MINUTE)).toMatchObject({ kind: 'want', patch: { wanted: 'asleep' } });
  });

  it('is none once the sleep is due, though that waits for a heartbeat still', () => {
    const { ingest } = warned();
    const beats = { ingest: { ...ingest, beat: SLEEP_AT - 1 } };
    expect(at(15 * MINUTE + 3, beats)).toEqual({ kind: 'rest', until: SLEEP_AT + 3 + 5 });
  });

  it('is given anew for another deadline', () => {
    expect(at(16 * MINUTE, { warnedOf: SLEEP_AT, lastActivity: T0 + 2 * MINUTE })).toEqual({ kind: 'warn', sleepAt: T0 + 17 * MINUTE });
    expect(at(29 * MINUTE, { warnedOf: SLEEP_AT, holdUntil: T0 + 30 * MINUTE })).toEqual({ kind: 'warn', sleepAt: T0 + 30 * MINUTE });
  });

  it('is none of a session that is asleep, wakes, or is in doubt', () => {
    const states = [{ wanted: 'asleep', pod: 'asleep', sleptAt: T0 }, { pod: 'asleep' }, { verifyAt: T0 + 20 * MINUTE }] as const;
    for (const state of states) expect(at(14 * MINUTE, state).kind).not.toBe('warn');
  });

  it('is none where the policy is shorter than twice its time, or never sleeps', () => {
    for (const sleepAfter of [2 * MINUTE - 1, null]) {
      const policy = { ...example().policy, sleepAfter, deleteAfter: 60 * MINUTE };
      for (let ms = 0; ms < 60 * MINUTE; ms += MINUTE / 2) expect(at(ms, { policy }).kind).not.toBe('warn');
    }
    expect(at(MINUTE, { policy: { ...example().policy, sleepAfter: 2 * MINUTE } }).kind).toBe('warn');
  });

  it('waits for a heartbeat, as the sleep does: nobody could come', () => {
    const { ingest } = warned();
    expect(at(14 * MINUTE, { ingest: { ...ingest, beat: T0 + 14 * MINUTE - 1 } }).kind).toBe('rest');
  });

  it('is where the sleep’s alarm stops first, and where that then stands is the sleep', () => {
    expect(alarmsOf(warned(), T0)).toContainEqual({ name: 'sleep', at: T0 + 14 * MINUTE });
    expect(restingPlace(warned({ warnedOf: SLEEP_AT }), 'sleep', SLEEP_AT, T0 + 14 * MINUTE)).toBe(SLEEP_AT);
  });

  it('never leaves the alarm later than what comes next, whenever somebody comes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600_000 }),
        fc.double({ min: 2, max: 100, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (warning, factor, when) => {
          const sleepAfter = Math.ceil(warning * factor);
          const policy = { ...example().policy, sleepAfter };
          const record = { ...example({ policy }), ingest: { ...example().ingest, warning } };
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
