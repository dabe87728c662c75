import { type AlarmClock, type CommitResult, type PodControl, PolicySet, type SessionRecord } from '@sandman/core';
import { describe, expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { CallLimiter } from './call-limiter.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { session, stub, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';
import { type Observer, Reconciler } from './reconciler.ts';
import { unchanging } from './shared-policies.ts';

const DAY_MS = 24 * 3_600_000;

/** Returns a pod control on which every call has this outcome. */
function podsThat(kind: 'done' | 'gone'): PodControl {
  return { open: async () => ({ call: async () => ({ kind }), release: () => {} }) };
}

/**
 * Returns the decisions that are reported when an alarm of `record` rings `idle` ms after T0 and its commit has this result.
 * The pod is found to be gone.
 */
async function decisions(record: SessionRecord, idle: number, kind: CommitResult['kind'] = 'committed'): Promise<unknown[]> {
  const system = new VirtualTime();
  const decisions: unknown[] = [];
  const store = stubStore({
    // The 404 that the call gets is the second one.
    read: async () => ({ record: { ...record, missingSince: T0 }, now: T0 + idle }),
    // In a conflict, the process that wrote in between has found that the pod is gone.
    commit: async (_, base, { patch }) => ({
      kind,
      record: { ...base!, ...(kind === 'conflict' ? { pod: 'gone' } : patch) },
      now: T0 + idle,
    }),
    unmark: async () => true,
  });
  const reconciler = new Reconciler({
    policies: unchanging(new PolicySet().default),
    dryRun: null,
    store,
    arming: new Arming(store, stub<AlarmClock>({ arm: async () => {}, disarm: async () => {} })),
    pods: podsThat('gone'),
    limiter: new CallLimiter(1, null, system),
    circuit: new CircuitBreaker({ system, probe: async () => true, changed: () => {} }),
    othersAreFound: async () => true,
    bounds: { doubt: 60_000 },
    observer: stub<Observer>({ decided: (...what) => void decisions.push(what), acted: () => {} }),
    warn: async () => {},
    system,
  });
  expect(await reconciler.handle({ uuid: 'a', name: 'sleep', n: record.n })).toEqual({ kind: 'completed' });
  return decisions;
}

it('reports a sleep and a delete that it decided on, and why', async () => {
  expect(await decisions(session(), DAY_MS / 2)).toEqual([['sleep', 'a', 'idle']]);
  expect(await decisions(session({ wanted: 'asleep', pod: 'asleep', sleptAt: T0 }), 2 * DAY_MS)).toEqual([['delete', 'a', 'delete-due']]);
});

it('reports no decision that activity came before, and no doubt', async () => {
  expect(await decisions(session(), DAY_MS / 2, 'conflict')).toEqual([]);
  expect(await decisions(session({ action: 'wake', token: 'another', actionUntil: T0 }), 1, 'conflict')).toEqual([]);
});

describe('a sleep that went through', () => {
  /** Returns whether each commit drew alarms, and how often alarms were set, if the alarm that rings has number `n`. */
  async function settling(n: number): Promise<{ drawn: boolean[]; set: number }> {
    const system = new VirtualTime();
    let current = session();
    const drawn: boolean[] = [];
    let set = 0;
    const store = stubStore({
      read: async () => ({ record: current, now: T0 + DAY_MS / 2 }),
      async commit(_, base, { patch, alarms }) {
        drawn.push(alarms);
        current = { ...base!, ...patch };
        return { kind: 'committed', record: current, now: T0 + DAY_MS / 2 };
      },
      unmark: async () => true,
    });
    const arm = async () => {
      set++;
    };
    const reconciler = new Reconciler({
      policies: unchanging(new PolicySet().default),
      dryRun: null,
      store,
      arming: new Arming(store, stub<AlarmClock>({ arm, disarm: async () => {} })),
      pods: podsThat('done'),
      limiter: new CallLimiter(1, null, system),
      circuit: new CircuitBreaker({ system, probe: async () => true, changed: () => {} }),
      othersAreFound: async () => true,
      bounds: { doubt: 60_000 },
      observer: stub<Observer>({ decided: () => {}, acted: () => {}, late: () => {}, early: () => {} }),
      warn: async () => {},
      system,
    });
    await reconciler.handle({ uuid: 'a', name: 'sleep', n });
    return { drawn, set };
  }

  it('leaves the delete’s alarm where it stands: the call costs two commits and no alarm', async () => {
    expect(await settling(session().n)).toEqual({ drawn: [false, false], set: 0 });
  });

  it('sets the delete’s alarm again where a number rang that is not the record’s, because what is set under that is unknown', async () => {
    expect(await settling(session().n + 1)).toEqual({ drawn: [false, true], set: 1 });
  });
});
