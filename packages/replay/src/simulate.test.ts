import { PolicySet } from '@sandman/core';
import { describe, expect, it } from 'vitest';
import { customPolicy, MINUTE, simulateSession, T0, type TraceStep, traceOf } from './example.fixture.ts';
import { countSessions, simulate } from './simulate.ts';

/** Sleeps after 10 idle minutes, and is deleted after another 30. */
const SHORT = customPolicy('10m', '30m');
const NO_COUNTS = { sleeps: 0, wakes: 0, deletes: 0, recreations: 0, regrets: 0 };

describe('a session', () => {
  it('sleeps and is deleted exactly on its deadlines', () => {
    expect(simulateSession([0], 100, SHORT)).toEqual({ ...NO_COUNTS, awake: 10, asleep: 30, alwaysOn: 100, sleeps: 1, deletes: 1 });
  });

  it('whose user comes at the very instant of the sleep stays awake', () => {
    expect(simulateSession([0, 10], 20, SHORT)).toMatchObject({ awake: 20, asleep: 0, sleeps: 1, wakes: 0 });
    expect(simulateSession([0, 10.5], 19, SHORT)).toMatchObject({ awake: 18.5, asleep: 0.5, sleeps: 1, wakes: 1, regrets: 1 });
  });

  it('whose user comes at the very instant of the delete is woken', () => {
    expect(simulateSession([0, 40], 45, SHORT)).toMatchObject({ awake: 15, asleep: 30, wakes: 1, deletes: 0, recreations: 0 });
  });

  it('is created anew by a user who comes after its delete, and by nobody else', () => {
    expect(simulateSession([0, 60], 65, SHORT)).toMatchObject({
      awake: 15,
      asleep: 30,
      alwaysOn: 65,
      deletes: 1,
      recreations: 1,
      wakes: 0,
    });
    const others: TraceStep[] = [0, [60, 'background'], [61, 'logout']];
    expect(simulateSession(others, 65, SHORT)).toMatchObject({ awake: 10, asleep: 30, alwaysOn: 65, deletes: 1, recreations: 0 });
  });

  it('is deleted by a logout, awake or asleep', () => {
    expect(simulateSession([0, [4, 'logout']], 60, SHORT)).toEqual({ ...NO_COUNTS, awake: 4, asleep: 0, alwaysOn: 60, deletes: 1 });
    expect(simulateSession([0, [25, 'logout']], 60, SHORT)).toEqual({
      ...NO_COUNTS,
      awake: 10,
      asleep: 15,
      alwaysOn: 60,
      sleeps: 1,
      deletes: 1,
    });
    expect(simulateSession([0, [4, 'logout'], 50], 55, SHORT)).toMatchObject({ awake: 9, asleep: 0, alwaysOn: 55, recreations: 1 });
  });

  it('that only a logout tells of was there until then', () => {
    expect(simulateSession([[0, 'logout']], 60, SHORT)).toEqual({ ...NO_COUNTS, awake: 0, asleep: 0, alwaysOn: 60, deletes: 1 });
  });
});

describe('a regret', () => {
  it.each([
    [14, 1],
    [15, 1],
    [15.001, 0],
  ])('is a wake within 5 minutes of the sleep at minute 10: at %d', (minute, regrets) => {
    expect(simulateSession([0, minute], 20, SHORT)).toMatchObject({ wakes: 1, regrets });
  });

  it('is none where the pod was deleted meanwhile', () => {
    expect(simulateSession([0, 12], 20, customPolicy('10m', '1m'))).toMatchObject({ wakes: 0, recreations: 1, regrets: 0 });
  });
});

describe('lost returns', () => {
  const lostReturns = (steps: TraceStep[], policy = SHORT) =>
    simulate(traceOf(steps), policy, { until: T0 + 1_000 * MINUTE, wakeTime: 0 }).lostReturns;

  it('are the recreations of all returns to a pod that slept or was deleted', () => {
    // At 20 and 60 woken, at 105 and 200 created anew; at 205 the pod was awake.
    expect(lostReturns([0, 20, 60, 105, 200, 205])).toBe(2 / 4);
    expect(lostReturns([0, 20])).toBe(0);
    expect(lostReturns([0, 41])).toBe(1);
    expect(lostReturns([0, [1, 'logout'], 20])).toBe(1);
  });

  it('are null if no user returned', () => {
    expect(lostReturns([0])).toBeNull();
    expect(lostReturns([0, 10, [60, 'background'], [70, 'logout']])).toBeNull();
  });
});

describe('background activity', () => {
  it('postpones the sleep, but never past its cap after the last user', () => {
    const open: TraceStep[] = [0, ...[5, 10, 15, 20, 25, 30].map((minute): TraceStep => [minute, 'background'])];
    expect(simulateSession(open, 60, SHORT)).toMatchObject({ awake: 40, asleep: 20, sleeps: 1 });
    expect(simulateSession(open, 60, customPolicy('10m', '2h', '25m'))).toMatchObject({ awake: 25, asleep: 35, sleeps: 1 });
  });

  it('neither wakes nor moves the delete of a sleeper', () => {
    expect(simulateSession([0, [20, 'background'], [39, 'background']], 60, SHORT)).toMatchObject({
      awake: 10,
      asleep: 30,
      wakes: 0,
      deletes: 1,
    });
  });

  it('alone is a session that no user ever came to: its cap counts from its first line', () => {
    const alone = Array.from({ length: 60 }, (_, minute): TraceStep => [minute, 'background']);
    expect(simulateSession(alone, 80, customPolicy('10m', 'never', '25m'))).toEqual({
      ...NO_COUNTS,
      awake: 25,
      asleep: 55,
      alwaysOn: 80,
      sleeps: 1,
    });
    expect(simulateSession(alone, 80, customPolicy('never', '10m', '25m'))).toEqual({
      ...NO_COUNTS,
      awake: 25,
      asleep: 0,
      alwaysOn: 80,
      deletes: 1,
    });
  });

  it('may be what the trace knows of first', () => {
    expect(simulateSession([[0, 'background']], 60, SHORT)).toMatchObject({ awake: 10, asleep: 30, deletes: 1 });
  });
});

describe('never', () => {
  it('to sleep: deleted when idle', () => {
    const { simple } = Object.fromEntries(new PolicySet().list().map((policy) => [policy.name, policy]));
    expect(simulateSession([0, 30, 61], 100, simple!)).toEqual({
      ...NO_COUNTS,
      awake: 90,
      asleep: 0,
      alwaysOn: 100,
      deletes: 2,
      recreations: 1,
    });
  });

  it('to be deleted: asleep until the end', () => {
    expect(simulateSession([0], 1_000, customPolicy('10m', 'never'))).toMatchObject({ awake: 10, asleep: 990, deletes: 0 });
  });

  it('either: as if nobody ever cleaned up', () => {
    const result = simulate(traceOf([0, 5]), customPolicy('never', 'never'), { until: T0 + 500 * MINUTE, wakeTime: 0 });
    expect(result).toMatchObject({ awakeSeconds: 30_000, alwaysOnSeconds: 30_000, savedFraction: 0 });
  });
});

describe('the end', () => {
  it('leaves out what comes later, and whoever is not there yet', () => {
    const trace = traceOf([0, 12, 50], [30, 31], [20]);
    expect(countSessions(trace, T0 + 20 * MINUTE)).toBe(2);
    const result = simulate(trace, SHORT, { until: T0 + 20 * MINUTE, wakeTime: 0 });
    expect(result).toMatchObject({ alwaysOnSeconds: 1_200, awakeSeconds: 18 * 60, asleepSeconds: 120, sleeps: 1, wakes: 1 });
    expect(result.savedFraction).toBeCloseTo(0.1, 12);
  });

  it('includes what falls on its instant', () => {
    expect(simulateSession([0, 5], 15, SHORT)).toMatchObject({ awake: 15, sleeps: 1 });
    expect(simulateSession([0, [15, 'logout']], 15, SHORT)).toMatchObject({ deletes: 1 });
  });
});

describe('a wake that takes time', () => {
  const SLOW = { wakeTime: 2 * MINUTE };

  it('costs from its beginning, and the idle time starts when the pod is there', () => {
    expect(simulateSession([0, 20], 60, SHORT, SLOW)).toMatchObject({ awake: 22, asleep: 38, sleeps: 2, wakes: 1 });
    expect(simulateSession([0, 20, 21], 60, SHORT, SLOW)).toMatchObject({ awake: 22, sleeps: 2, wakes: 1 });
    expect(simulateSession([0, 20, 25], 60, SHORT, SLOW)).toMatchObject({ awake: 25, sleeps: 2, wakes: 1 });
  });

  it('is not slept on, however short the policy', () => {
    expect(simulateSession([0, 20], 60, customPolicy('1m', '10h'), SLOW)).toMatchObject({ awake: 4, asleep: 56, sleeps: 2, wakes: 1 });
  });

  it('is cut short by a logout', () => {
    expect(simulateSession([0, 20, [21, 'logout'], 30], 32, SHORT, SLOW)).toMatchObject({
      awake: 13,
      asleep: 10,
      wakes: 1,
      deletes: 1,
      recreations: 1,
    });
  });
});

it('a line that stands there twice means nothing', () => {
  const steps: TraceStep[] = [0, 5, [6, 'background'], 30, [31, 'logout'], 60];
  expect(simulateSession([...steps, ...steps], 80, SHORT)).toEqual(simulateSession(steps, 80, SHORT));
});

it('a logout as the first line leaves a pod that only a user brings back', () => {
  const steps: TraceStep[] = [[0, 'logout'], [5, 'background'], [6, 'logout'], 20];
  expect(simulateSession(steps, 25, SHORT)).toEqual({ ...NO_COUNTS, awake: 5, asleep: 0, alwaysOn: 25, deletes: 1, recreations: 1 });
});

it('the order of the lines means nothing, not even at one instant', () => {
  const steps: TraceStep[] = [0, 3, [3, 'logout'], 12, 30, [30, 'background'], [41, 'background'], 95, [95, 'logout'], 100];
  const expected = simulateSession(steps, 120, SHORT);
  expect(simulateSession(steps.toReversed(), 120, SHORT)).toEqual(expected);
  expect(expected).toMatchObject({ deletes: 3, recreations: 3 });
});
