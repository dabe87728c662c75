import fc from 'fast-check';
import { expect, it } from 'vitest';
import { customPolicy, simulateSession, type TraceStep } from './example.fixture.ts';

/** The minute at which a pod falls asleep or is deleted if its user came at minute 0 and never again. */
function endOf(signals: readonly number[], after: number, cap: number): number {
  let end = after;
  for (const at of signals.toSorted((a, b) => a - b)) if (at <= end) end = Math.max(end, Math.min(at + after, cap));
  return end;
}

const UNTIL = 600;

it('a user who left keeps a pod awake for as long as background signals may, and not a minute longer', () => {
  let capped = 0;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 240 }), { minLength: 10, maxLength: 80 }),
      fc.integer({ min: 5, max: 40 }),
      fc.integer({ min: 1, max: 200 }),
      fc.boolean(),
      (signals, after, cap, sleeps) => {
        const steps: TraceStep[] = [0, ...signals.map((minute): TraceStep => [minute, 'background'])];
        const policy = sleeps ? customPolicy(`${after}m`, '30m', `${cap}m`) : customPolicy('never', `${after}m`, `${cap}m`);
        const end = endOf(signals, after, cap);
        expect(simulateSession(steps, UNTIL, policy)).toEqual({
          awake: end,
          asleep: sleeps ? Math.min(30, UNTIL - end) : 0,
          alwaysOn: UNTIL,
          sleeps: sleeps ? 1 : 0,
          deletes: 1,
          wakes: 0,
          recreations: 0,
          regrets: 0,
        });
        expect(end).toBeLessThanOrEqual(Math.max(after, cap));
        if (end === cap && cap > after) capped++;
      },
    ),
    { numRuns: 400 },
  );
  expect(capped).toBeGreaterThan(50);
});

it('signals without end do not either', () => {
  const steps: TraceStep[] = [0, ...Array.from({ length: UNTIL }, (_, minute): TraceStep => [minute, 'background'])];
  expect(simulateSession(steps, UNTIL, customPolicy('5m', 'never', '240m'))).toMatchObject({ awake: 240, sleeps: 1, wakes: 0 });
});
