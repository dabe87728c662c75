import { type Policy, parseDuration } from '@sandman/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { simulate } from './simulate.ts';
import { TRACE_EVENT_KINDS, TraceBuilder } from './trace.ts';

/** All times are multiples of this, in ms, so that many events coincide. It is a tenth of the time within which a wake is a regret. */
const UNIT = parseDuration('30s', 'unit');
const LAST = 80;

interface Happening {
  readonly at: number;
  readonly event: (typeof TRACE_EVENT_KINDS)[number];
}

/** Applies the rules of the API contract unit by unit, without any code of `core`. All times are in units. */
function stepByStep(events: readonly Happening[], policy: Policy, until: number) {
  const units = (ms: number | null) => (ms === null ? Number.POSITIVE_INFINITY : ms / UNIT);
  const [sleepAfter, deleteAfter, cap] = [units(policy.sleepAfter), units(policy.deleteAfter), units(policy.backgroundCap)];
  const counted = { awake: 0, asleep: 0, alwaysOn: 0, sleeps: 0, wakes: 0, deletes: 0, recreations: 0, regrets: 0 };
  let pod = 'none' as 'none' | 'awake' | 'asleep' | 'deleted';
  let [user, background, slept] = [0, Number.NEGATIVE_INFINITY, 0];
  const drop = () => {
    pod = 'deleted';
    background = Number.NEGATIVE_INFINITY;
    counted.deletes++;
  };

  for (let now = 0; now <= until; now++) {
    const due = TRACE_EVENT_KINDS.flatMap((event) => events.filter((one) => one.at === now && one.event === event));
    for (const { event } of due) {
      if (pod === 'deleted' && event !== 'user') continue;
      if (pod === 'deleted') counted.recreations++;
      if (pod === 'none' || pod === 'deleted') [pod, user] = ['awake', now];
      if (event === 'logout') drop();
      else if (event === 'background' && pod === 'awake') background = now;
      else if (event === 'user') {
        if (pod === 'asleep') {
          counted.wakes++;
          if (now - slept <= 10) counted.regrets++;
        }
        [pod, user] = ['awake', now];
      }
    }
    const idle = (after: number) => now >= user + after && now >= Math.min(background + after, user + cap);
    if (pod === 'awake' && sleepAfter < Number.POSITIVE_INFINITY) {
      if (idle(sleepAfter)) {
        [pod, slept] = ['asleep', now];
        counted.sleeps++;
      }
    } else if (pod === 'awake' && idle(deleteAfter)) drop();
    if (pod === 'asleep' && now >= slept + deleteAfter) drop();

    if (now === until) break;
    if (pod !== 'none') counted.alwaysOn++;
    if (pod === 'awake' || pod === 'asleep') counted[pod]++;
  }
  return counted;
}

const after = fc.option(fc.integer({ min: 1, max: 25 }), { freq: 6 });
const policies = fc.record({ sleepAfter: after, deleteAfter: after, cap: fc.integer({ min: 1, max: 40 }) });
const traces = fc.array(fc.record({ at: fc.nat(LAST), event: fc.constantFrom(...TRACE_EVENT_KINDS, 'user' as const) }), {
  minLength: 1,
  maxLength: 14,
});

/** Sums over all runs, to show that the runs had sleeps, wakes and so on at all. */
const seen = { sleeps: 0, wakes: 0, deletes: 0, recreations: 0, regrets: 0 };

it('what jumps from deadline to deadline comes to what the contract says step by step', () => {
  fc.assert(
    fc.property(traces, policies, fc.integer({ min: 0, max: LAST + 40 }), (events, { sleepAfter, deleteAfter, cap }, until) => {
      const ms = (units: number | null) => (units === null ? null : units * UNIT);
      const policy = { name: 'custom', sleepAfter: ms(sleepAfter), deleteAfter: ms(deleteAfter), backgroundCap: cap * UNIT };
      const expected = stepByStep(events, policy, until);
      const builder = new TraceBuilder();
      // Later than 1970, because 0 means "none" in a record.
      const start = 1_000 * UNIT;
      for (const { at, event } of events) builder.add({ uuid: 'a', at: start + at * UNIT, event });

      const result = simulate(builder.build(), policy, { until: start + until * UNIT, wakeTime: 0 });
      const { sleeps, wakes, deletes, recreations, regrets } = result;
      const spans = [result.awakeSeconds, result.asleepSeconds, result.alwaysOnSeconds].map((seconds) => (seconds * 1_000) / UNIT);
      expect({ spans, sleeps, wakes, deletes, recreations, regrets }).toEqual({
        spans: [expected.awake, expected.asleep, expected.alwaysOn],
        ...Object.fromEntries(Object.keys(seen).map((count) => [count, expected[count as keyof typeof seen]])),
      });
      for (const count of Object.keys(seen) as (keyof typeof seen)[]) seen[count] += result[count];

      const returns = expected.wakes + expected.recreations;
      expect(result.lostReturns).toBe(returns > 0 ? expected.recreations / returns : null);
      expect(result.awakeSeconds + result.asleepSeconds).toBeLessThanOrEqual(result.alwaysOnSeconds);
      expect(result.savedFraction).toBeGreaterThanOrEqual(0);
      expect(result.savedFraction).toBeLessThanOrEqual(1);
      expect(wakes).toBeLessThanOrEqual(sleeps);
      expect(regrets).toBeLessThanOrEqual(wakes);
      expect(recreations).toBeLessThanOrEqual(deletes);
    }),
    { numRuns: 1_500 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
});
