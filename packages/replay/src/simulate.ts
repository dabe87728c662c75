import type { Policy } from '@sandman/core';
import { SessionSimulator } from './session-simulator.ts';
import { type Trace, unpackTime } from './trace.ts';
import { type SimulationResult, UsageCounter } from './usage-counter.ts';

/** The conditions of a simulation besides its policy. */
export interface Conditions {
  /** The end, ms since 1970. Pods that still run are counted until then; later events of the trace are left out. */
  readonly until: number;
  /** How long a wake takes, in ms. */
  readonly wakeTime: number;
}

/** Simulates the trace under a policy. */
export function simulate(trace: Trace, policy: Policy, { until, wakeTime }: Conditions): SimulationResult {
  const counter = new UsageCounter(until);
  const life = new SessionSimulator(policy, wakeTime, counter);
  for (let session = 0; session < trace.sessions; session++) {
    const events = trace.eventsOf(session);
    if (unpackTime(events[0]!) <= until) life.run(events, until);
  }
  return counter.result(policy);
}

/** Counts the sessions whose first event is at or before `until` (ms since 1970). */
export function countSessions(trace: Trace, until: number): number {
  let sessions = 0;
  for (let session = 0; session < trace.sessions; session++) if (unpackTime(trace.eventsOf(session)[0]!) <= until) sessions++;
  return sessions;
}
