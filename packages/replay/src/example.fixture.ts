import { PolicySet } from '@sandman/core';
import type { TraceEvent } from './line.ts';
import { type Conditions, simulate } from './simulate.ts';
import { type Trace, TraceBuilder } from './trace.ts';

export const MINUTE = 60_000;
export const T0 = Date.parse('2026-11-24T08:00:00Z');

/** An event of one session: its minute, and its kind (a user's activity by default). */
export type TraceStep = number | readonly [minute: number, event: TraceEvent['event']];

/** Builds a trace of these sessions, named a, b, … */
export function traceOf(...sessions: TraceStep[][]): Trace {
  const builder = new TraceBuilder();
  sessions.forEach((steps, i) => {
    for (const step of steps) {
      const [minute, event] = typeof step === 'number' ? ([step, 'user'] as const) : step;
      builder.add({ uuid: String.fromCharCode(97 + i), at: T0 + minute * MINUTE, event });
    }
  });
  return builder.build();
}

export function customPolicy(sleepAfter: string, deleteAfter: string, backgroundCap = '4h') {
  return new PolicySet().resolve({ sleepAfter, deleteAfter, backgroundCap });
}

/** Simulates one session until a minute. @returns the totals in minutes, and the counts */
export function simulateSession(
  steps: TraceStep[],
  until: number,
  policy: ReturnType<typeof customPolicy>,
  conditions: Partial<Conditions> = {},
) {
  const result = simulate(traceOf(steps), policy, { until: T0 + until * MINUTE, wakeTime: 0, ...conditions });
  const { awakeSeconds, asleepSeconds, alwaysOnSeconds, sleeps, wakes, deletes, recreations, regrets } = result;
  const counts = { sleeps, wakes, deletes, recreations, regrets };
  return { awake: awakeSeconds / 60, asleep: asleepSeconds / 60, alwaysOn: alwaysOnSeconds / 60, ...counts };
}
