import { type Policy, PolicySet } from '@sandman/core';
import { expect, it } from 'vitest';
import { simulate } from './simulate.ts';
import { simulateAll } from './simulate-all.ts';
import { TraceBuilder } from './trace.ts';

const START = 1_800_000_000_000;
const MINUTE = 60_000;

function traceOf(lines: number) {
  const builder = new TraceBuilder();
  for (let i = 0; i < lines; i++) builder.add({ uuid: `s${i % 97}`, at: START + i * 7_919, event: i % 5 === 0 ? 'background' : 'user' });
  return builder.build();
}

it.each([1_000, 120_000])('of %i lines each policy gets what it would get alone, in its place', async (lines) => {
  const trace = traceOf(lines);
  const policies: Policy[] = [1, 3, 9, 27].map((minutes) => ({ ...new PolicySet().default, sleepAfter: minutes * MINUTE }));
  const conditions = { until: trace.to, wakeTime: 2_000 };
  const counts: number[] = [];
  const results = await simulateAll(trace, policies, conditions, (count) => counts.push(count));
  expect(results).toEqual(policies.map((policy) => simulate(trace, policy, conditions)));
  expect(counts).toEqual([1, 2, 3, 4]);
  expect(results[0]!.sleeps).toBeGreaterThan(results[3]!.sleeps);
});

it('what fails in a thread fails here', async () => {
  const trace = traceOf(120_000);
  const broken = { ...new PolicySet().default, backgroundCap: Symbol('no clone') as unknown as number };
  await expect(simulateAll(trace, [broken, broken], { until: trace.to, wakeTime: 0 }, () => {})).rejects.toThrow();
});
