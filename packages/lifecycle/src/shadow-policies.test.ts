import {
  type ActivityKind,
  type IdlePeriod,
  NEW_INTAKE,
  type PeriodTotals,
  type Policy,
  PolicySet,
  periodEnd,
  type SessionRecord,
  type ShadowTotals,
  tryPolicy,
} from '@sandman/core';
import { simulate, TraceBuilder } from '@sandman/replay';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualTime } from './lifecycle.fixture.ts';
import { ShadowPolicies } from './shadow-policies.ts';

const START = 1_800_000_000_000;
const book = new PolicySet();
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
    keepUntil: 0,
    graceUntil: 0,
    noticeUntil: 0,
    policyAt: 0,
    sleptAt: 0,
    manualSleepAt: 0,
    lostBefore: 0,
    intake: { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY },
    ...change,
  } as SessionRecord;
}

type Signal = readonly [at: number, kind: ActivityKind];

/** Returns what a shadow policy counts for these signals, in a session that is always awake. */
async function shadowOf(signals: readonly Signal[], policy: Policy): Promise<PeriodTotals | undefined> {
  const sums = new Map<string, ShadowTotals>();
  const notes = new Map<string, number>();
  const key = (time: IdlePeriod) => JSON.stringify([time.policy, time.uuid, time.lastActivity]);
  const shadows = new ShadowPolicies({
    policies: () => [policy],
    totals: {
      add: async (some) => {
        for (const [name, sum] of some) sums.set(name, sum);
      },
      noteIgnoredSignal: async (time, lastBackground) => {
        if (!notes.has(key(time))) notes.set(key(time), lastBackground);
      },
      lastCountedSignals: async (times) => times.map((time) => notes.get(key(time)) ?? null),
    },
    system: new VirtualTime(),
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
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

it('a sleep by hand is one under every policy, and no regret', () => {
  const record = lived(START, { manualSleepAt: START + 2 * MINUTE });
  const totals = tryPolicy(record, book.resolve('simple'), START + 3 * MINUTE, true);
  expect(totals).toMatchObject({ awake: 2 * MINUTE, asleep: MINUTE, sleeps: 1, wakes: 1, regrets: 0, deletes: 0 });
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

it('a sleep by hand is none where the policy has deleted the pod before', () => {
  const record = lived(START, { manualSleepAt: START + 40 * MINUTE });
  const totals = tryPolicy(record, book.resolve('simple'), START + HOUR, true);
  expect(totals).toMatchObject({ awake: 30 * MINUTE, asleep: 0, gone: 30 * MINUTE, sleeps: 0, deletes: 1 });
});

it('a change of the sessions’ own policy gives a shadow policy no more time', () => {
  const record = lived(START, { policyAt: START + 40 * MINUTE });
  expect(tryPolicy(record, book.resolve('simple'), START + HOUR, true)).toMatchObject({ awake: 30 * MINUTE, gone: 30 * MINUTE });
});

describe('a keep', () => {
  const kept = lived(START, { keepUntil: START + 3 * DAY });
  const until = START + 10 * DAY;

  it.each([
    ['aggressive', { awake: 5 * MINUTE, asleep: 3 * DAY - 5 * MINUTE, gone: 7 * DAY }],
    ['balanced', { awake: 15 * MINUTE, asleep: 3 * DAY - 15 * MINUTE, gone: 7 * DAY }],
    // Its own delete is later than the end of the keep.
    ['conservative', { awake: 30 * MINUTE, asleep: 7 * DAY, gone: 3 * DAY - 30 * MINUTE }],
    ['simple', { awake: 3 * DAY, asleep: 0, gone: 7 * DAY }],
  ])('keeps the pod until its end under every policy: %s', (name, times) => {
    const policy = book.resolve(name);
    expect(tryPolicy(kept, policy, until, true)).toMatchObject({ ...times, deletes: 1, recreations: 1, wakes: 0 });
    // A user who comes back before the end of the keep finds the pod.
    expect(tryPolicy(kept, policy, START + 3 * DAY, true)).toMatchObject({ gone: 0, deletes: 0, recreations: 0 });
  });

  it('keeps a pod that was put to sleep by hand', () => {
    const record = { ...kept, manualSleepAt: START + 2 * MINUTE };
    const times = { awake: 2 * MINUTE, asleep: 3 * DAY - 2 * MINUTE, gone: 7 * DAY };
    expect(tryPolicy(record, book.resolve('aggressive'), until, true)).toMatchObject(times);
    const never = { ...balanced, deleteAfter: null };
    expect(tryPolicy(record, never, until, true)).toMatchObject({ gone: 0, deletes: 0 });
  });
});

describe('a delete with a grace', () => {
  /** Asked for 10 minutes after the last activity, to be done 2 hours later. */
  const asked = {
    wanted: 'asleep',
    pod: 'asleep',
    cause: 'manual',
    manualSleepAt: START + 10 * MINUTE,
    graceUntil: START + 130 * MINUTE,
  } as const;
  const graced = lived(START, asked);
  const never = { name: 'never', sleepAfter: null, deleteAfter: null, backgroundCap: HOUR };

  it.each([
    // It slept before the request, and would have been deleted after 65 minutes.
    ['aggressive', { awake: 5 * MINUTE, asleep: 125 * MINUTE }],
    ['balanced', { awake: 10 * MINUTE, asleep: 120 * MINUTE }],
    ['simple', { awake: 10 * MINUTE, asleep: 120 * MINUTE }],
    ['never', { awake: 10 * MINUTE, asleep: 120 * MINUTE }],
  ])('puts the pod to sleep, and deletes it at the end of the grace under every policy: %s', (name, times) => {
    const policy = name === 'never' ? never : book.resolve(name);
    expect(tryPolicy(graced, policy, START + 131 * MINUTE, false)).toEqual({
      ...times,
      gone: MINUTE,
      ...{ sleeps: 1, wakes: 0, regrets: 0, deletes: 1, recreations: 0 },
    });
    // The user's return cancels it, and finds the pod.
    const back = tryPolicy(graced, policy, START + 129 * MINUTE, true);
    expect(back).toMatchObject({ gone: 0, sleeps: 1, wakes: 1, regrets: 0, deletes: 0, recreations: 0 });
  });

  it('comes too late for a policy that has deleted the pod before', () => {
    const late = { ...graced, manualSleepAt: START + 90 * MINUTE, graceUntil: START + 210 * MINUTE };
    const end = START + 211 * MINUTE;
    const times = { awake: 5 * MINUTE, asleep: HOUR, gone: 146 * MINUTE, deletes: 1 };
    expect(tryPolicy(late, book.resolve('aggressive'), end, false)).toMatchObject(times);
    expect(tryPolicy(late, book.resolve('simple'), end, false)).toMatchObject({ awake: 30 * MINUTE, asleep: 0, gone: 181 * MINUTE });
    expect(tryPolicy(late, balanced, end, false)).toMatchObject({ awake: 15 * MINUTE, asleep: 195 * MINUTE, gone: MINUTE });
  });

  it('waits for a keep that began later, and moves later by a gap', () => {
    const kept = { ...graced, keepUntil: START + DAY };
    expect(tryPolicy(kept, balanced, START + 2 * DAY, false)).toMatchObject({ asleep: DAY - 10 * MINUTE, gone: DAY });
    const delayed = { ...graced, intake: { ...graced.intake, lostTime: HOUR } };
    expect(tryPolicy(delayed, balanced, START + DAY, false)).toMatchObject({ asleep: 3 * HOUR, deletes: 1 });
  });

  it('is no regret, though its user comes back within minutes', () => {
    const record = { ...graced, manualSleepAt: START + 6 * MINUTE, graceUntil: START + HOUR };
    expect(tryPolicy(record, book.resolve('aggressive'), START + 8 * MINUTE, true)).toMatchObject({
      awake: 5 * MINUTE,
      wakes: 1,
      regrets: 0,
    });
  });
});

it('the end of a session ends its idle period, and only once', () => {
  const active = lived(START);
  expect(periodEnd(active, { ...active, wanted: 'gone' }, START + 5)).toEqual({ until: START + 5, came: false });
  expect(periodEnd({ ...active, wanted: 'gone' }, { ...active, wanted: 'gone', pod: 'gone' }, START + 9)).toBeNull();
  expect(periodEnd(active, { ...active, pod: 'gone' }, START + 7)).toEqual({ until: START + 7, came: false });
  expect(periodEnd(active, { ...active, lastBackground: START + 7 }, START + 7)).toBeNull();
});
