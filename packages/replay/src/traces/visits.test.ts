import { describe, expect, it } from 'vitest';
import { MINUTE, traceOf } from '../example.fixture.ts';
import { simulate } from '../simulate.ts';
import { TraceBuilder } from '../trace.ts';
import { generateTrace } from './generate.ts';
import { measureVisits } from './visits.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

it('measures visits, messages and gaps', () => {
  // Visits of 3, 1 and 2 messages; a background signal is none, and a pause of 30 minutes ends a visit.
  const trace = traceOf([0, 1, [2, 'background'], 5, 35], [[0, 'background'], 10, 39.5]);
  expect(measureVisits(trace)).toEqual({
    visits: 3,
    gap: { median: 4 * MINUTE, sigma: expect.closeTo(1.389_2, 3), p95: 29.5 * MINUTE },
    messages: { mean: 2, median: 2 },
    singleShare: 1 / 3,
  });
});

it('a trace without gaps has none, and one without users has no visits', () => {
  expect(measureVisits(traceOf([0, 30], [0]))).toMatchObject({ visits: 3, gap: null, singleShare: 1 });
  expect(measureVisits(traceOf([[0, 'background']]))).toBeNull();
});

/** The fleets of docs/policies.md to which workloads are fitted: gaps in s, shares in percent. */
const FLEETS = {
  chat: { days: 180, sessions: 600, gap: 157, sigma: 1.3, p95: 1_150, messages: 2.4, median: 1, single: 63, lost: [29.4, 14.2, 6.9] },
  assistant: { days: 60, sessions: 60, gap: 66, sigma: 1.48, p95: 912, messages: 3.5, median: 2, single: 46 },
  support: { days: 60, sessions: 2_000, gap: 145, sigma: 1.48, p95: 1_333, messages: 2.3, median: 1, single: 60 },
  coding: { days: 180, sessions: 300, gap: 130, sigma: 1.66, p95: 991, messages: 4.8, median: 3, single: 31, lost: [12.5, 7.1, 2] },
} as const;

/** Builds the trace of a workload. */
function generated(name: WorkloadName) {
  const { sessions, days } = FLEETS[name];
  const builder = new TraceBuilder();
  const plan = { sessions, days, from: Date.parse('2026-01-05T00:00:00Z'), seed: 1, workload: WORKLOADS[name] };
  for (const event of [...generateTrace(plan)].flat()) if (event.event !== 'logout') builder.add(event);
  return builder.build();
}

describe.each(Object.keys(FLEETS) as WorkloadName[])('the workload %s keeps to its fleet', (name) => {
  const fleet = FLEETS[name];
  const trace = generated(name);

  it('in visits, messages and gaps', () => {
    const { gap, messages, singleShare } = measureVisits(trace)!;
    expect(Math.abs(100 * singleShare - fleet.single)).toBeLessThan(4);
    expect(Math.abs(messages.mean / fleet.messages - 1)).toBeLessThan(0.1);
    expect(messages.median).toBe(fleet.median);
    expect(Math.abs(gap!.median / 1_000 / fleet.gap - 1)).toBeLessThan(0.2);
    expect(Math.abs(gap!.sigma - fleet.sigma)).toBeLessThan(0.2);
    expect(Math.abs(gap!.p95 / 1_000 / fleet.p95 - 1)).toBeLessThan(0.25);
  });
});

it.each(['chat', 'coding'] as const)(
  'the workload %s keeps to its fleet in the returns that are lost after 1, 3 and 7 days asleep',
  (name) => {
    const trace = generated(name);
    for (const [i, days] of [1, 3, 7].entries()) {
      const policy = { name: 'custom', sleepAfter: 15 * MINUTE, deleteAfter: days * 1_440 * MINUTE, backgroundCap: 240 * MINUTE };
      const { lostReturns } = simulate(trace, policy, { until: trace.to, wakeTime: 0 });
      expect(Math.abs(100 * lostReturns! - FLEETS[name].lost[i]!), `${days} days`).toBeLessThan(6);
    }
  },
);
