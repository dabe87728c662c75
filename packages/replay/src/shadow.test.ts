import { type Policy, PolicyBook, type SessionRecord, SPELL_ITEMS, type Spell, spellEnd, tryPolicy } from '@sandman/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Life } from './life.ts';
import { Tally } from './tally.ts';

const START = 1_800_000_000_000;
const book = new PolicyBook();
const balanced = book.default;

function lived(at: number, change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    policy: balanced,
    wanted: 'awake',
    pod: 'awake',
    cause: 'created',
    createdAt: START,
    lastActivity: at,
    lastBackground: 0,
    holdUntil: 0,
    sleptAt: 0,
    manualSleepAt: 0,
    lostBefore: 0,
    ingest: { beat: Number.POSITIVE_INFINITY, floor: 0, lost: 0, rewound: 0, warning: 0 },
    ...change,
  } as SessionRecord;
}

/** What a shadow policy counts of visits at these times, from the first to the last. */
function shadowOf(times: readonly number[], policy: Policy): Spell {
  const sum = Object.fromEntries(SPELL_ITEMS.map((item) => [item, 0])) as Record<keyof Spell, number>;
  times.slice(1).forEach((at, i) => {
    const before = lived(times[i]!);
    const end = spellEnd(before, { ...before, lastActivity: at }, at);
    if (!end) return;
    const spell = tryPolicy(before, policy, end.until, end.came);
    for (const item of SPELL_ITEMS) sum[item] += spell[item];
  });
  return sum;
}

/** The same by the core itself. */
function simulated(times: readonly number[], policy: Policy) {
  const end = times.at(-1)!;
  const tally = new Tally(end);
  const life = new Life(policy, 0, tally, times[0]!);
  for (const at of times.slice(1)) life.happen('user', at);
  life.finish(end);
  return tally.result(policy);
}

const minutes = (most: number) => fc.integer({ min: 1, max: most * 60_000 });
const somePolicy = fc.oneof(
  fc.constantFrom(...book.list()),
  fc.record({
    name: fc.constant('custom'),
    sleepAfter: fc.option(minutes(20)),
    deleteAfter: fc.option(minutes(40)),
    backgroundCap: fc.constant(14_400_000),
  }),
);

it('what a shadow policy counts is what the simulator finds for the same visits', () => {
  let [sleeps, deletes, regrets] = [0, 0, 0];
  fc.assert(
    fc.property(
      somePolicy,
      fc.array(minutes(60), { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 3 }),
      (policy, gaps, exact) => {
        // Some come at the very instant of a deadline.
        for (const place of exact) gaps[place % gaps.length] = policy.sleepAfter ?? policy.deleteAfter ?? 1;
        const times = [START];
        for (const gap of gaps) times.push(times.at(-1)! + gap);
        const shadow = shadowOf(times, policy);
        const { awakeSeconds, asleepSeconds, alwaysOnSeconds, ...found } = simulated(times, policy);
        const seconds = { awakeSeconds: shadow.awake / 1_000, asleepSeconds: shadow.asleep / 1_000 };
        expect(seconds).toEqual({ awakeSeconds, asleepSeconds });
        expect((shadow.awake + shadow.asleep + shadow.gone) / 1_000).toBeCloseTo(alwaysOnSeconds, 6);
        for (const item of ['sleeps', 'wakes', 'regrets', 'deletes', 'recreations'] as const)
          expect([item, shadow[item]]).toEqual([item, found[item]]);
        [sleeps, deletes, regrets] = [sleeps + shadow.sleeps, deletes + shadow.deletes, regrets + shadow.regrets];
      },
    ),
    { numRuns: 3_000 },
  );
  // It was not about nothing.
  expect(Math.min(sleeps, deletes, regrets)).toBeGreaterThan(500);
});

const MINUTE = 60_000;

it('a sleep by hand is one under every policy, and no regret', () => {
  const record = lived(START, { manualSleepAt: START + 2 * MINUTE });
  const spell = tryPolicy(record, book.resolve('simple'), START + 3 * MINUTE, true);
  expect(spell).toMatchObject({ awake: 2 * MINUTE, asleep: MINUTE, sleeps: 1, wakes: 1, regrets: 0, deletes: 0 });
  expect(tryPolicy(record, book.resolve('simple'), START + 40 * MINUTE, true)).toMatchObject({
    asleep: 30 * MINUTE,
    gone: 8 * MINUTE,
    recreations: 1,
  });
});

it('a hold and background signals keep the shadow awake as they keep the pod', () => {
  const aggressive = book.resolve('aggressive');
  const held = lived(START, { holdUntil: START + 20 * MINUTE });
  expect(tryPolicy(held, aggressive, START + 30 * MINUTE, true)).toMatchObject({ awake: 20 * MINUTE, asleep: 10 * MINUTE });
  const signalled = lived(START, { lastBackground: START + 10 * MINUTE });
  expect(tryPolicy(signalled, aggressive, START + 30 * MINUTE, true)).toMatchObject({ awake: 15 * MINUTE, asleep: 15 * MINUTE });
});

it('a session ends a spell without a user, and only once', () => {
  const active = lived(START);
  expect(spellEnd(active, { ...active, wanted: 'gone' }, START + 5)).toEqual({ until: START + 5, came: false });
  expect(spellEnd({ ...active, wanted: 'gone' }, { ...active, wanted: 'gone', pod: 'gone' }, START + 9)).toBeNull();
  expect(spellEnd(active, { ...active, pod: 'gone' }, START + 7)).toEqual({ until: START + 7, came: false });
  expect(spellEnd(active, { ...active, lastBackground: START + 7 }, START + 7)).toBeNull();
});
