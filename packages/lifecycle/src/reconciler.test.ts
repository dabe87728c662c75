import type { AlarmClock, CommitResult, PodControl, SessionRecord } from '@sandman/core';
import { expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { Circuit } from './circuit.ts';
import { only, session, storeThat, T0, VirtualTime } from './lifecycle.fixture.ts';
import { Permits } from './permits.ts';
import { type Observer, Reconciler } from './reconciler.ts';

const DAY_MS = 24 * 3_600_000;

/** What is told of decisions when `record` is looked at `idle` ms after T0, and its commit ends like this; then the pod is gone. */
async function decisions(record: SessionRecord, idle: number, kind: CommitResult['kind'] = 'committed'): Promise<unknown[]> {
  const surroundings = new VirtualTime();
  const told: unknown[] = [];
  const store = storeThat({
    read: async () => ({ record, now: T0 + idle }),
    commit: async (_, base, { patch }) => ({ kind, record: { ...base!, ...patch, pod: 'gone' }, now: T0 + idle }),
  });
  const reconciler = new Reconciler({
    store,
    arming: new Arming(store, only<AlarmClock>({})),
    pods: only<PodControl>({}),
    permits: new Permits(1, null, surroundings),
    circuit: new Circuit(surroundings, () => {}),
    bounds: { doubt: 60_000 },
    observer: only<Observer>({ decided: (...what) => void told.push(what) }),
    surroundings,
  });
  expect(await reconciler.handle({ uuid: 'a', name: 'sleep', n: record.n })).toEqual({ kind: 'completed' });
  return told;
}

it('tells of a sleep and of a delete that it decided on, and why', async () => {
  expect(await decisions(session(), DAY_MS / 2)).toEqual([['sleep', 'a', 'idle']]);
  expect(await decisions(session({ wanted: 'asleep', pod: 'asleep', sleptAt: T0 }), 2 * DAY_MS)).toEqual([['delete', 'a', 'delete-due']]);
});

it('tells of no decision that somebody came before, nor of a doubt', async () => {
  expect(await decisions(session(), DAY_MS / 2, 'conflict')).toEqual([]);
  expect(await decisions(session({ action: 'wake', token: 'another', actionUntil: T0 }), 1)).toEqual([]);
});
