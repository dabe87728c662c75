import { type AlarmClock, type AlarmName, HEALTHY, NEW_INTAKE, PolicySet, type SessionRecord } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { session, settlePromises, stub, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';
import { unchanging } from './shared-policies.ts';
import { type AlarmFault, Sweep } from './sweep.ts';

const MINUTE = 60_000;
/** The deadlines of the test's session. */
const SLEEP_AT = T0 + 15 * MINUTE;
const DELETE_AT = SLEEP_AT + 24 * 60 * MINUTE;

let time: VirtualTime;
let records: Map<string, SessionRecord>;
let marks: Set<string>;
/** The time at which each alarm rings. */
let alarms: Map<string, number>;
let repaired: [AlarmFault, string][];
let walks: [number, number][];
let beforeCommit: () => void;
let sweep: Sweep;

const now = () => T0 + time.elapsed();
const key = (name: AlarmName, uuid: string, n: number) => `${name} ${uuid} ${n}`;

function put(record: SessionRecord, at: Partial<Record<AlarmName, number>> = {}): void {
  records.set(record.uuid, record);
  for (const [name, ms] of Object.entries(at)) alarms.set(key(name as AlarmName, record.uuid, record.n), ms);
}

function write(uuid: string, patch: Partial<SessionRecord>): void {
  const before = records.get(uuid)!;
  records.set(uuid, { ...before, ...patch, rev: before.rev + 1 });
}

beforeEach(() => {
  time = new VirtualTime();
  records = new Map();
  marks = new Set();
  alarms = new Map();
  repaired = [];
  walks = [];
  beforeCommit = () => {};
  const store = stubStore({
    async walk(shard, limit) {
      walks.push([shard, limit]);
      return [...records.values()].map((record) => ({ record, now: now() }));
    },
    read: async (uuid) => ({ record: records.get(uuid) ?? null, now: now() }),
    marked: async (age) => (age === 0 ? [...marks] : []),
    async commit(uuid, base, { patch, alarms: draw }) {
      beforeCommit();
      const before = records.get(uuid) ?? null;
      if (before?.rev !== base?.rev) return { kind: 'conflict', record: before, now: now() };
      write(uuid, { ...patch, ...(draw ? { n: now() } : {}) });
      if (draw) marks.add(uuid);
      return { kind: 'committed', record: records.get(uuid)!, now: now() };
    },
    async unmark(uuid) {
      return marks.delete(uuid);
    },
  });
  const clock = stub<AlarmClock>({
    rings: async ({ name, uuid, n }) => alarms.get(key(name, uuid, n)) ?? null,
    async arm(uuid, n, needed) {
      for (const { name, at } of needed) alarms.set(key(name, uuid, n), at);
    },
    async disarm(uuid, n) {
      for (const name of ['sleep', 'delete', 'wake'] as const) alarms.delete(key(name, uuid, n));
    },
  });
  const arming = new Arming(store, clock);
  sweep = new Sweep({
    store,
    policies: unchanging(new PolicySet().default),
    dryRun: null,
    clock,
    arming,
    system: time,
    repaired: (fault, uuid) => repaired.push([fault, uuid]),
  });
});

/** Makes a visit, and calls `between` between its first read and the one that confirms a fault. */
async function visit(between: () => void = () => {}): Promise<void> {
  const over = sweep.visit(0);
  await settlePromises();
  between();
  await time.pass(5_000);
  await over;
}

it('a thousand sessions of the shard are read, some at a time, and those that have their alarms do not hold it up', async () => {
  for (let i = 0; i < 49; i++) put(session({ uuid: `s${i}` }), { sleep: SLEEP_AT, delete: DELETE_AT });
  await sweep.visit(3);
  expect(walks).toEqual([[3, 50]]);
  put(session({ uuid: 's49' }), { sleep: SLEEP_AT, delete: DELETE_AT });
  await sweep.visit(3);
  expect(walks).toHaveLength(1 + 20);
  expect(repaired).toEqual([]);
});

describe('a session without an alarm', () => {
  it('gets new ones, once, under a new number', async () => {
    put(session({ uuid: 'well', n: 41 }), { sleep: SLEEP_AT, delete: DELETE_AT });
    put(session());
    await visit();
    expect(repaired).toEqual([['missing', 'a']]);
    const { n } = records.get('a')!;
    expect(n).toBeGreaterThan(42);
    expect([alarms.get(key('sleep', 'a', n)), alarms.get(key('delete', 'a', n))]).toEqual([SLEEP_AT, DELETE_AT]);
    expect([...marks]).toEqual([]);
    await visit();
    expect(repaired).toHaveLength(1);
    expect(records.get('well')!.n).toBe(41);
  });

  it('is also one whose alarms have an older number, or whose only alarm is the delete behind its sleep', async () => {
    put(session({ uuid: 'a' }), { delete: DELETE_AT });
    put(session({ uuid: 'b' }));
    alarms.set(key('sleep', 'b', 41), SLEEP_AT);
    await visit();
    expect(repaired).toEqual([
      ['missing', 'a'],
      ['missing', 'b'],
    ]);
  });

  it('is not one that needs none, or that has one of another name', async () => {
    put(session({ uuid: 'gone', wanted: 'gone', pod: 'gone' }));
    put(session({ uuid: 'kept', policy: new PolicySet().resolve({ sleepAfter: 'never', deleteAfter: 'never' }) }));
    put(session({ uuid: 'active' }), { wake: SLEEP_AT });
    put(session({ uuid: 'sleeping', wanted: 'asleep', pod: 'asleep', sleptAt: T0 }), { delete: T0 });
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });

  it.each<[string, () => void]>([
    ['the record was written between the two reads', () => write('a', { lastActivity: T0 + 1, ...HEALTHY })],
    ['it is being armed just now', () => marks.add('a')],
    ['its alarm turned up meanwhile', () => alarms.set(key('sleep', 'a', 42), SLEEP_AT)],
    ['it was forgotten meanwhile', () => records.delete('a')],
  ])('is left alone where %s', async (_, between) => {
    put(session());
    await visit(between);
    expect(repaired).toEqual([]);
    expect(records.get('a')?.n ?? 42).toBe(42);
    expect(marks.size).toBeLessThanOrEqual(1);
  });

  it('is read a second time after 5 s and not before', async () => {
    put(session());
    const over = sweep.visit(0);
    await time.pass(4_999);
    expect(repaired).toEqual([]);
    await time.pass(1);
    await over;
    expect(repaired).toHaveLength(1);
  });

  it('is left alone where its record is written just before the repair', async () => {
    put(session());
    beforeCommit = () => write('a', { holdUntil: T0 + MINUTE });
    await visit();
    expect(repaired).toEqual([]);
    expect(records.get('a')).toMatchObject({ n: 42, rev: 8, holdUntil: T0 + MINUTE });
  });
});

describe('an alarm that rings after what is due', () => {
  // An overdue alarm that waits for the circuit breaker: its delay counts from now.
  const overdue = { wanted: 'asleep', pod: 'awake', cause: 'idle' } as const;

  it('may do so by 20 s', async () => {
    put(session({ uuid: 'a' }), { sleep: SLEEP_AT + 20_000 });
    put(session({ uuid: 'b', ...overdue, lastActivity: T0 - 60 * MINUTE }), { sleep: T0 + 20_000 });
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });

  it('is late beyond that, and replaced by one in time', async () => {
    put(session({ uuid: 'a' }), { sleep: SLEEP_AT + 20_001 });
    put(session({ uuid: 'b', ...overdue, lastActivity: T0 - 60 * MINUTE }), { sleep: T0 + 30_000 });
    await visit();
    expect(repaired).toEqual([
      ['late', 'a'],
      ['late', 'b'],
    ]);
    const numbers = [...records.values()].map(({ uuid, n }) => alarms.get(key('sleep', uuid, n)));
    expect(numbers).toEqual([SLEEP_AT, T0 + 5_000]);
    expect(alarms.has(key('sleep', 'a', 42))).toBe(false);
  });

  it('is not late by a time in which no ping could be taken', async () => {
    const policy = new PolicySet().resolve({ sleepAfter: '10s', deleteAfter: '10s' });
    await time.pass(MINUTE);
    put(session({ policy, intake: { ...NEW_INTAKE, lastHeartbeat: T0 } }), {
      sleep: T0 + MINUTE + 10_000,
    });
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });

  it('is not late by a delete that no ping could have postponed', async () => {
    const policy = new PolicySet().resolve({ sleepAfter: '5m', deleteAfter: '1h' });
    await time.pass(70 * MINUTE);
    const rests = T0 + 75 * MINUTE;
    put(session({ policy, intake: { ...NEW_INTAKE, lastHeartbeat: T0 } }), {
      sleep: rests,
      delete: rests,
    });
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });

  it('is in time for the sleep, though a warning was due before', async () => {
    const intake = { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY, warning: MINUTE };
    put(session({ intake }), { sleep: SLEEP_AT, delete: DELETE_AT });
    await sweep.visit(0);
    await time.pass(14 * MINUTE);
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });

  it('is in time for the delete, though its warning was due before', async () => {
    const intake = { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY, deleteWarning: 120 * MINUTE };
    const deleteAt = T0 + 24 * 60 * MINUTE;
    put(session({ intake, wanted: 'asleep', pod: 'asleep', sleptAt: T0 }), { delete: deleteAt });
    await sweep.visit(0);
    await time.pass(23 * 60 * MINUTE);
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });

  it('is in time where another one rings before it', async () => {
    put(session(), { sleep: SLEEP_AT + MINUTE, wake: SLEEP_AT });
    await sweep.visit(0);
    expect(repaired).toEqual([]);
  });
});

it('after Redis came back with older data, sessions that were not verified since are reported apart', async () => {
  put(session({ intake: { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY, rewoundAt: T0 + 1 } }), {
    sleep: SLEEP_AT,
    delete: DELETE_AT,
  });
  await visit();
  expect(repaired).toEqual([['rewound', 'a']]);
});

it('a visit that waits for its second read ends at once when it is stopped, and repairs nothing', async () => {
  put(session());
  const visit = sweep.visit(0);
  await settlePromises();
  sweep.stop();
  await visit;
  expect(time.elapsed()).toBe(0);
  expect(repaired).toEqual([]);
});
