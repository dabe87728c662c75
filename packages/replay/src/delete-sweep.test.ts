import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DELETE_AFTERS, deleteSteps, deleteSweep, podDaysKept, recommendDelete } from './delete-sweep.ts';
import { customPolicy, MINUTE, T0, type TraceStep, traceOf } from './example.fixture.ts';
import { simulate } from './simulate.ts';
import type { Trace } from './trace.ts';

const HOUR = 60;
const DAY = 24 * HOUR;
const DAYS: Readonly<Record<string, number>> = {
  '1h': 1 / 24,
  '6h': 0.25,
  '1d': 1,
  '2d': 2,
  '3d': 3,
  '7d': 7,
  '14d': 14,
  '30d': 30,
  '60d': 60,
  '90d': 90,
};

const stepsOf = (trace: Trace, untilMinute: number, sleepAfter = '15m') =>
  deleteSteps(
    deleteSweep(customPolicy(sleepAfter, '24h')).map((policy) =>
      simulate(trace, policy, { until: T0 + untilMinute * MINUTE, wakeTime: 0 }),
    ),
  );

describe('a sweep of deleteAfter', () => {
  // User a returns after 2 hours and then after 2 days; user b after 5 days; user c never. All sleep 15 minutes after they leave.
  const TRACE = traceOf([0, 2 * HOUR, 2 * HOUR + 2 * DAY], [0, 5 * DAY], [0]);
  const steps = stepsOf(TRACE, 10 * DAY);
  const of = (deleteAfter: string) => steps.find((step) => step.deleteAfter === deleteAfter)!;

  it('has the values of the contract, the shortest first', () => {
    expect(steps.map(({ deleteAfter }) => deleteAfter)).toEqual(['1h', '6h', '1d', '2d', '3d', '7d', '14d', '30d', '60d', '90d']);
    const policies = deleteSweep({ sleepAfter: 900_000, backgroundCap: 1 });
    expect(policies.map(({ deleteAfter }) => deleteAfter! / 86_400_000)).toEqual(Object.values(DAYS));
    expect(policies.every(({ sleepAfter, backgroundCap }) => sleepAfter === 900_000 && backgroundCap === 1)).toBe(true);
  });

  it('counts the returns that each value loses', () => {
    expect(of('1h')).toMatchObject({ recreations: 3, wakes: 0, lostReturns: 1 });
    expect(of('6h')).toMatchObject({ recreations: 2, wakes: 1, lostReturns: 2 / 3 });
    expect(of('1d')).toMatchObject({ recreations: 2, wakes: 1, lostReturns: 2 / 3 });
    // Asleep for 2 days less 15 minutes.
    expect(of('2d')).toMatchObject({ recreations: 1, wakes: 2, lostReturns: 1 / 3 });
    expect(of('7d')).toMatchObject({ recreations: 0, wakes: 3, lostReturns: 0 });
  });

  it('counts how long pods are kept, and what each return that is not lost costs', () => {
    // Six visits of 15 minutes; after each the pod sleeps until it is deleted, or its user returns.
    const awake = (6 * 15) / DAY;
    expect(of('1h').podDaysKept).toBeCloseTo(awake + 6 / 24, 9);
    expect(of('1h').podDaysPerReturn).toBeNull();
    expect(of('6h').podDaysKept).toBeCloseTo(awake + (1.75 + 5 * 6) / 24, 9);
    expect(of('6h').podDaysPerReturn).toBeCloseTo((0.75 + 5 * 5) / 24, 9);
    expect(of('1d').podDaysPerReturn).toBeNull();
    // From 1 to 2 days: the pod of the second pause is kept a day less 15 minutes longer, those of four ends a day each.
    expect(of('2d').podDaysPerReturn).toBeCloseTo(1 - 15 / DAY + 4, 9);
    expect(of('90d').podDaysKept).toBeCloseTo(10 * 3, 9);
  });

  it('recommends the shortest value that loses few enough', () => {
    expect(recommendDelete(steps, 0)).toEqual({ deleteAfter: '7d', lostReturns: 0 });
    expect(recommendDelete(steps, 0.33)).toMatchObject({ deleteAfter: '7d' });
    expect(recommendDelete(steps, 0.34)).toEqual({ deleteAfter: '2d', lostReturns: 1 / 3 });
    expect(recommendDelete(steps, 1)).toEqual({ deleteAfter: '1h', lostReturns: 1 });
  });

  it('recommends nothing if no value is good enough, or no user returned', () => {
    // A logout deletes under each of them.
    expect(recommendDelete(stepsOf(traceOf([0, [1, 'logout'], 200]), DAY), 0.5)).toBeNull();
    const alone = stepsOf(traceOf([0], [5]), DAY);
    expect(alone.every(({ lostReturns }) => lostReturns === null)).toBe(true);
    expect(recommendDelete(alone, 0.5)).toBeNull();
  });

  it('without sleep, a value that loses no return is good enough', () => {
    const never = stepsOf(traceOf([0, 2 * DAY]), 3 * DAY, 'never');
    expect(never.map(({ lostReturns }) => lostReturns)).toEqual([1, 1, 1, ...Array(7).fill(null)]);
    expect(recommendDelete(never, 0)).toEqual({ deleteAfter: '2d', lostReturns: null });
  });
});

interface Counted {
  wakes: number;
  recreations: number;
  /** In minutes. */
  kept: number;
}

/** Counts by the pauses between a user's visits alone, without any code of the simulator. All times are in minutes. */
function countPauses(steps: readonly TraceStep[], sleepAfter: number, deleteAfter: number, until: number): Counted {
  const events = steps.map((step) => (typeof step === 'number' ? ([step, 'user'] as const) : step)).filter(([at]) => at <= until);
  // At the same minute, a user comes before a logout.
  events.sort(([a, one], [b, other]) => a - b || Number(one === 'logout') - Number(other === 'logout'));
  const counted = { wakes: 0, recreations: 0, kept: 0 };
  events.forEach(([at, event], i) => {
    const next = events[i + 1];
    if (event === 'logout') {
      if (next?.[1] === 'user') counted.recreations++;
      return;
    }
    const pause = (next?.[0] ?? until) - at;
    counted.kept += Math.min(pause, sleepAfter + deleteAfter);
    if (next?.[1] !== 'user' || pause <= sleepAfter) return;
    if (pause > sleepAfter + deleteAfter) counted.recreations++;
    else counted.wakes++;
  });
  return counted;
}

it('on random traces, every value loses what the pauses between the visits say', () => {
  const pause = fc.oneof(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 12 * HOUR }), fc.integer({ min: 0, max: 100 * DAY }));
  const session = fc.array(fc.tuple(pause, fc.boolean(), fc.integer({ min: 0, max: 9 })), { minLength: 1, maxLength: 12 });
  const seen = { wakes: 0, recreations: 0 };
  fc.assert(
    fc.property(fc.array(session, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 60 }), (sessions, sleepAfter) => {
      let until = 0;
      const traces = sessions.map((visits) => {
        let minute = 0;
        return visits.map(([wait, exact, chance]): TraceStep => {
          // Some pauses end exactly at a deadline.
          minute += exact ? sleepAfter + 6 * HOUR : wait;
          until = Math.max(until, minute);
          return chance === 0 ? [minute, 'logout'] : minute;
        });
      });
      const steps = stepsOf(traceOf(...traces), until, `${sleepAfter}m`);
      steps.forEach((step, i) => {
        const deleteAfter = Math.round(DAYS[DELETE_AFTERS[i]!]! * DAY);
        const sum: Counted = { wakes: 0, recreations: 0, kept: 0 };
        for (const trace of traces) {
          const { wakes, recreations, kept } = countPauses(trace, sleepAfter, deleteAfter, until);
          sum.wakes += wakes;
          sum.recreations += recreations;
          sum.kept += kept;
        }
        const { wakes, recreations, kept } = sum;
        const lostReturns = wakes + recreations > 0 ? recreations / (wakes + recreations) : null;
        expect(step).toMatchObject({ wakes, recreations, lostReturns });
        expect(step.podDaysKept).toBeCloseTo(kept / DAY, 6);
        seen.wakes += wakes;
        seen.recreations += recreations;
      });
      // A longer value never loses more, and never keeps pods for less time.
      for (let i = 1; i < steps.length; i++) {
        expect(steps[i]!.recreations).toBeLessThanOrEqual(steps[i - 1]!.recreations);
        expect(steps[i]!.podDaysKept).toBeGreaterThanOrEqual(steps[i - 1]!.podDaysKept - 1e-9);
      }
    }),
    { numRuns: 400 },
  );
  expect(Math.min(seen.wakes, seen.recreations)).toBeGreaterThan(1_000);
});

it('a pod is kept while it is awake and while it sleeps', () => {
  expect(podDaysKept({ awakeSeconds: 43_200, asleepSeconds: 86_400 })).toBe(1.5);
});
