import type { Policy } from '@sandman/core';
import { Life } from './life.ts';
import { type Result, Tally } from './tally.ts';
import { type Trace, timeOf } from './trace.ts';

/** What is asked of a trace beside the policies. */
export interface Conditions {
  /** The end, ms of the epoch: pods that run still then have run until then. What the trace holds later is left out. */
  readonly until: number;
  /** How long a wake takes, in ms. */
  readonly wakeTime: number;
}

/** What the trace would have cost under a policy. */
export function simulate(trace: Trace, policy: Policy, { until, wakeTime }: Conditions): Result {
  const tally = new Tally(until);
  const life = new Life(policy, wakeTime, tally);
  for (let session = 0; session < trace.sessions; session++) {
    const events = trace.eventsOf(session);
    if (timeOf(events[0]!) <= until) life.run(events, until);
  }
  return tally.result(policy);
}

/** How many sessions begin by then. */
export function countSessions(trace: Trace, until: number): number {
  let sessions = 0;
  for (let session = 0; session < trace.sessions; session++) if (timeOf(trace.eventsOf(session)[0]!) <= until) sessions++;
  return sessions;
}
