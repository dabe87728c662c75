import { type AlarmClock, type AlarmName, NEW_INTAKE, type Policy, PolicySet, type SessionRecord } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { CallLimiter } from './call-limiter.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { DryRun } from './dry-run.ts';
import { session, stub, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';
import { type Observer, Reconciler } from './reconciler.ts';
import { Sweep } from './sweep.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: T0 } as const;

let record: SessionRecord;
/** The time, in ms after T0. */
let at: number;
/** What all workers have reported. */
let calls: string[];
/** The latest deadline for which each call was reported, as Redis keeps it for all workers. */
let reported: Map<string, number>;
/** The policy in force, and its rank. */
let inForce: { readonly policy: Policy; readonly rank: number };

beforeEach(() => {
  calls = [];
  reported = new Map();
  inForce = { policy: new PolicySet().default, rank: 0 };
});

/** Starts a dry-run worker. Its store and its pods cannot be written. */
function startWorker() {
  const system = new VirtualTime();
  const store = stubStore({
    read: async () => ({ record, now: T0 + at }),
    walk: async () => [{ record, now: T0 + at }],
  });
  const policies = {
    default: inForce.policy,
    get rank() {
      return inForce.rank;
    },
    successor: ({ policyRank }: Pick<SessionRecord, 'policyRank'>) => (policyRank < inForce.rank ? inForce.policy : null),
  };
  const dryRun = new DryRun({
    async isNew(uuid, what, due) {
      const key = `${uuid} ${what}`;
      if (due <= (reported.get(key) ?? -1)) return false;
      reported.set(key, due);
      return true;
    },
    wouldCall: (call, _, cause) => calls.push(`${call} ${cause}`),
  });
  // The session has an alarm that rings in a month.
  const clock = stub<AlarmClock>({ rings: async () => T0 + 720 * HOUR });
  const arming = new Arming(store, clock);
  const reconciler = new Reconciler({
    policies,
    dryRun,
    store,
    arming,
    pods: stub({}),
    limiter: new CallLimiter(1, null, system),
    circuit: new CircuitBreaker({ system, probe: async () => true, changed: () => {} }),
    othersAreFound: async () => true,
    bounds: { doubt: MINUTE },
    observer: stub<Observer>({ early: () => {} }),
    warn: async () => {
      throw new Error('a dry run sends no warning');
    },
    system,
  });
  const sweep = new Sweep({ store, policies, dryRun, clock, arming, system, repaired: () => {} });
  return {
    /** Has the session's alarm ring `ms` after T0, and returns in how many ms it rings again. */
    async ring(ms: number, name: AlarmName = 'delete') {
      at = ms;
      const end = await reconciler.handle({ uuid: 'a', name, n: record.n });
      return end.kind === 'again' ? end.ms : null;
    },
    /** Has the sweep visit the session `ms` after T0. */
    async visit(ms: number) {
      at = ms;
      await sweep.visit(0);
    },
  };
}

describe('a delete with a grace, in a dry run', () => {
  it('is reported with its cause when the grace is over, once', async () => {
    record = session({ wanted: 'asleep', cause: 'logout', manualSleepAt: T0, graceUntil: T0 + HOUR });
    const worker = startWorker();
    await worker.ring(0);
    await worker.ring(15_000);
    expect(calls).toEqual(['sleep logout']);
    expect(await worker.ring(HOUR - 5_000)).toBe(5_000);
    expect(calls).toEqual(['sleep logout']);
    await worker.ring(HOUR);
    await worker.ring(HOUR + MINUTE);
    await startWorker().ring(HOUR + MINUTE);
    expect(calls).toEqual(['sleep logout', 'delete logout']);
  });

  it('is reported again where another grace replaced it, and where a delete without one does', async () => {
    record = session({ ...asleep, cause: 'manual', manualSleepAt: T0, graceUntil: T0 + HOUR });
    const worker = startWorker();
    await worker.ring(HOUR);
    record = { ...record, manualSleepAt: T0 + HOUR, graceUntil: T0 + 2 * HOUR };
    await worker.ring(HOUR + MINUTE);
    expect(calls).toEqual(['delete manual']);
    await worker.ring(2 * HOUR);
    expect(calls).toEqual(['delete manual', 'delete manual']);
    record = { ...record, wanted: 'gone', graceUntil: 0 };
    await worker.ring(2 * HOUR + MINUTE);
    await worker.ring(2 * HOUR + 2 * MINUTE);
    expect(calls).toEqual(['delete manual', 'delete manual', 'delete manual']);
  });
});

it('a dry run sends no warnings, though another worker has switched them on', async () => {
  const intake = { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY, warning: MINUTE, deleteWarning: HOUR };
  record = session({ intake });
  const worker = startWorker();
  expect(await worker.ring(14.5 * MINUTE, 'sleep')).toBe(MINUTE / 2);
  record = session({ ...asleep, intake });
  expect(await worker.ring(23.5 * HOUR)).toBe(HOUR / 2);
  expect(calls).toEqual([]);
});

describe('a change of POLICIES under which a sleeping session is overdue, in a dry run', () => {
  const former = new PolicySet().resolve({ sleepAfter: '15m', deleteAfter: '30d' });

  beforeEach(() => {
    const intake = { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY, deleteNotice: 2 * HOUR };
    record = session({ ...asleep, policy: former, intake });
    inForce = { policy: new PolicySet().resolve({ sleepAfter: '15m', deleteAfter: '1d' }), rank: 7 };
  });

  it('is reported after the notice that it would give, once by all workers', async () => {
    const worker = startWorker();
    expect(await worker.ring(100 * HOUR)).toBe(2 * HOUR);
    await worker.ring(102 * HOUR - MINUTE);
    expect(calls).toEqual([]);
    await worker.ring(102 * HOUR);
    await worker.ring(103 * HOUR);
    expect(calls).toEqual(['delete delete-due']);
    // A worker that is started later gives the notice anew.
    const later = startWorker();
    await later.ring(104 * HOUR);
    await later.ring(106 * HOUR);
    expect(calls).toEqual(['delete delete-due']);
  });

  it('is reported by the sweep where the alarm is set for the former deadline', async () => {
    const worker = startWorker();
    await worker.visit(100 * HOUR);
    await worker.visit(102 * HOUR - 1);
    expect(calls).toEqual([]);
    await worker.visit(102 * HOUR);
    await worker.visit(103 * HOUR);
    expect(calls).toEqual(['delete delete-due']);
  });

  it('gives the notice anew where the policies change again', async () => {
    const worker = startWorker();
    await worker.ring(100 * HOUR);
    inForce = { policy: new PolicySet().resolve({ sleepAfter: '15m', deleteAfter: '2d' }), rank: 8 };
    expect(await worker.ring(101 * HOUR)).toBe(2 * HOUR);
    await worker.ring(102 * HOUR);
    expect(calls).toEqual([]);
    await worker.ring(103 * HOUR);
    expect(calls).toEqual(['delete delete-due']);
  });
});

it('what the sweep finds due without a change of POLICIES is left to its alarm', async () => {
  record = session({ ...asleep });
  const worker = startWorker();
  await worker.visit(25 * HOUR);
  expect(calls).toEqual([]);
});
