import { type ActivityKind, type Policy, PolicyBook, type SessionRecord, type Spell, spellEnd, tryPolicy } from '@sandman/core';
import { simulate, TraceBuilder } from '@sandman/replay';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VirtualTime } from './lifecycle.fixture.ts';
import { type ShadowSums, Shadows, type ShadowTime } from './shadows.ts';

const START = 1_800_000_000_000;
const book = new PolicyBook();
const balanced = book.default;

function lived(at: number, change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    uuid: 'a',
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

type Signal = readonly [at: number, kind: ActivityKind];

/** Returns what a shadow policy counts for these signals, in a session that is always awake. */
async function shadowOf(signals: readonly Signal[], policy: Policy): Promise<Spell | undefined> {
  const sums = new Map<string, ShadowSums>();
  const notes = new Map<string, number>();
  const key = (time: ShadowTime) => JSON.stringify([time.policy, time.uuid, time.lastActivity]);
  const shadows = new Shadows({
    policies: () => [policy],
    books: {
      add: async (some) => {
        for (const [name, sum] of some) sums.set(name, sum);
      },
      deaf: async (time, lastBackground) => {
        if (!notes.has(key(time))) notes.set(key(time), lastBackground);
      },
      heard: async (times) => times.map((time) => notes.get(key(time)) ?? null),
    },
    surroundings: new VirtualTime(),
    failed: (error) => {
      throw error;
    },
  });
  let record = lived(signals[0]![0]);
  for (const [at, kind] of signals.slice(1)) {
    const before = record;
    record = { ...record, [kind === 'user' ? 'lastActivity' : 'lastBackground']: at };
    shadows.written(() => before, record, at);
  }
  await shadows.close();
  return sums.get(policy.name)?.would;
}

/** Returns the same totals from a simulation with the decisions of `core`, up to the user's last activity. */
function simulated(signals: readonly Signal[], policy: Policy) {
  const end = signals.findLast(([, kind]) => kind === 'user')![0];
  const builder = new TraceBuilder();
  for (const [at, event] of signals) builder.add({ uuid: 'a', at, event });
  return simulate(builder.build(), policy, { until: end, wakeTime: 0 });
}

const minutes = (most: number) => fc.integer({ min: 1, max: most * 60_000 });
const somePolicy = fc.oneof(
  fc.constantFrom(...book.list()),
  fc.record({
    name: fc.constant('custom'),
    sleepAfter: fc.option(minutes(20)),
    deleteAfter: fc.option(minutes(40)),
    backgroundCap: minutes(60),
  }),
);
const kinds = fc.constantFrom<ActivityKind>('user', 'background', 'background');

it('what a shadow policy counts is what the simulator finds for the same signals', async () => {
  const sums = { sleeps: 0, deletes: 0, regrets: 0 };
  const spans = fc.array(fc.tuple(minutes(30), kinds), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(somePolicy, spans, fc.array(fc.nat(), { maxLength: 3 }), async (policy, gaps, exact) => {
      // Some signals come exactly at a deadline.
      for (const place of exact) gaps[place % gaps.length]![0] = policy.sleepAfter ?? policy.deleteAfter ?? 1;
      const signals: Signal[] = [[START, 'user']];
      for (const [gap, kind] of [...gaps, [1, 'user'] as const]) signals.push([signals.at(-1)![0] + gap, kind]);
      const shadow = (await shadowOf(signals, policy))!;
      const { awakeSeconds, asleepSeconds, alwaysOnSeconds, ...found } = simulated(signals, policy);
      expect({ awakeSeconds: shadow.awake / 1_000, asleepSeconds: shadow.asleep / 1_000 }).toEqual({ awakeSeconds, asleepSeconds });
      expect((shadow.awake + shadow.asleep + shadow.gone) / 1_000).toBeCloseTo(alwaysOnSeconds, 6);
      for (const item of ['sleeps', 'wakes', 'regrets', 'deletes', 'recreations'] as const)
        expect([item, shadow[item]]).toEqual([item, found[item]]);
      for (const item of ['sleeps', 'deletes', 'regrets'] as const) sums[item] += shadow[item];
    }),
    { numRuns: 800 },
  );
  // Every item must have occurred often enough for the comparison to mean something.
  expect(Math.min(...Object.values(sums))).toBeGreaterThan(50);
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
