import type { Policy } from '@sandman/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { simulate } from '../simulate.ts';
import { TraceBuilder } from '../trace.ts';
import { type RecordedChange, traceOfChanges } from './changes.ts';

const START = 1_800_000_000_000;
const MINUTE = 60_000;

/** The changes that a Sandman with this `sleepAfter`, and calls that take no time, would have recorded for these visits. */
function keptOf(visits: readonly number[], sleepAfter: number, late: number): RecordedChange[] {
  const first = visits[0]!;
  const changes: RecordedChange[] = [{ at: first, from: '', to: 'active', cause: 'created', lastActivity: first }];
  visits.slice(1).forEach((at, i) => {
    const before = visits[i]!;
    if (at - before <= sleepAfter + late) return;
    const slept = before + sleepAfter + late;
    changes.push(
      { at: slept, from: 'active', to: 'falling-asleep', cause: 'idle', lastActivity: before },
      { at: slept, from: 'falling-asleep', to: 'sleeping', cause: 'idle', lastActivity: before },
      { at, from: 'sleeping', to: 'waking', cause: 'activity', lastActivity: at },
      { at, from: 'waking', to: 'active', cause: 'activity', lastActivity: at },
    );
  });
  return changes;
}

function traceOf(events: readonly { readonly at: number }[]) {
  const builder = new TraceBuilder();
  for (const { at } of events) builder.add({ uuid: 'a', at, event: 'user' });
  return builder.build();
}

it('every policy that sleeps no sooner than the one that was used does the same with the export as with the visits', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1, maxLength: 30 });
  let inferred = 0;
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 60 }), fc.nat(100), (spans, used, longer, late) => {
      const visits = [START];
      const sleepAfter = used * MINUTE;
      // The spans are in thousandths of the idle time.
      for (const span of spans) visits.push(visits.at(-1)! + span * used * 60);
      const kept = keptOf(visits, sleepAfter, late);
      const events = traceOfChanges('a', kept, visits.at(-1)!, sleepAfter);
      inferred += events.filter((event) => event.inferred).length;
      const policy: Policy = { name: 'custom', sleepAfter: sleepAfter + longer * MINUTE + late, deleteAfter: null, backgroundCap: 0 };
      const conditions = { until: visits.at(-1)! + 120 * MINUTE, wakeTime: 0 };
      expect(simulate(traceOf(events), policy, conditions)).toEqual(simulate(traceOf(visits.map((at) => ({ at }))), policy, conditions));
    }),
    { numRuns: 1_000 },
  );
  expect(inferred).toBeGreaterThan(1_000);
});

const change = (
  at: number,
  from: RecordedChange['from'],
  to: RecordedChange['to'],
  cause: string,
  lastActivity: number,
): RecordedChange => {
  const ms = (minutes: number) => (minutes === 0 ? 0 : START + minutes * MINUTE);
  return { at: START + at * MINUTE, from, to, cause, lastActivity: ms(lastActivity) };
};
const minutesOf = (events: ReturnType<typeof traceOfChanges>) =>
  events.map(({ at, event, inferred }) => `${(at - START) / MINUTE} ${event}${inferred ? ' inferred' : ''}`);

it('a logout is one, a delete that was due is nobody', () => {
  const changes = [
    change(1, '', 'active', 'adopted', 1),
    change(5, 'active', 'deleting', 'logout', 2),
    change(5, 'deleting', 'deleted', 'logout', 2),
    change(9, 'deleted', 'active', 'created', 9),
    change(20, 'active', 'deleting', 'delete-due', 10),
    change(21, 'deleting', 'deleted', 'delete-due', 10),
  ];
  expect(minutesOf(traceOfChanges('a', changes, 0, 60 * MINUTE))).toEqual(['1 user', '2 user', '5 logout', '9 user', '10 user']);
});

it('what the first changes are lost of begins with what is known', () => {
  const changes = [
    change(30, 'active', 'falling-asleep', 'idle', 20),
    change(31, 'falling-asleep', 'sleeping', 'idle', 20),
    change(50, 'sleeping', 'waking', 'manual', 50),
  ];
  expect(minutesOf(traceOfChanges('a', changes, START + 65 * MINUTE, 60 * MINUTE))).toEqual([
    '20 user',
    '50 user',
    '59 user inferred',
    '65 user',
  ]);
});

it('events of before their time was written down tell when, and that is all', () => {
  const changes = [
    change(1, '', 'active', 'created', 0),
    change(30, 'active', 'falling-asleep', 'idle', 0),
    change(50, 'sleeping', 'waking', 'activity', 0),
  ];
  expect(minutesOf(traceOfChanges('a', changes, 0, 60 * MINUTE))).toEqual(['1 user', '50 user']);
});
