import type { Outcome, PodControl, SessionRecord } from '@sandman/core';
import { expect, it } from 'vitest';
import { session, stubStore, VirtualTime } from './lifecycle.fixture.ts';
import { Probe } from './probe.ts';

const NONE = new Set<string>();
/** Sessions to put to sleep: the call is in flight, has not begun, or has failed. */
const calling = { wanted: 'asleep', action: 'sleep' } as const;
const due = { wanted: 'asleep' } as const;
const failed = { wanted: 'asleep', failures: 1 } as const;

/** Returns a probe of these sessions, and the uuids that it asks the session-manager for. Only calls for `sound` succeed. */
function probeOf(sessions: Record<string, Partial<SessionRecord>>) {
  const asked: string[] = [];
  const pods: PodControl = {
    open: async () => ({
      release: () => {},
      call: async (_action, uuid): Promise<Outcome> => {
        asked.push(uuid);
        return uuid === 'sound' ? { kind: 'done', pod: 'awake' } : { kind: 'transient', sent: true, error: 'HTTP 500' };
      },
    }),
  };
  const sample = Object.entries(sessions).map(([uuid, change]) => ({ now: 0, record: session({ uuid, ...change }) }));
  return {
    asked,
    probe: new Probe({ store: stubStore({ sample: async () => sample }), pods, rateLimiter: null, system: new VirtualTime() }),
  };
}

it('asks first for sessions that need no call now: what is in flight or due may be about to fail', async () => {
  const { probe, asked } = probeOf({ a: calling, b: calling, c: due, d: due, sound: {} });
  expect(await probe.answers(NONE)).toBe(true);
  expect(asked).toEqual(['sound', 'a', 'b']);
});

it('asks for what is in flight or due where there is nothing else, and never for more than three', async () => {
  const { probe, asked } = probeOf({ a: failed, b: due, c: calling, d: calling, e: calling });
  expect(await probe.answers(NONE)).toBe(false);
  expect(asked).toEqual(['b', 'c', 'd']);
});

it('leaves out sessions that fail, unless all do', async () => {
  const some = probeOf({ a: failed, b: {}, sound: {} });
  expect(await some.probe.answers(new Set(['b']))).toBe(true);
  expect(some.asked).toEqual(['sound']);
  const all = probeOf({ a: failed, b: {} });
  expect(await all.probe.answers(new Set(['b']))).toBe(false);
  expect(all.asked).toEqual(['a', 'b']);
});

it('finds others than a session that is not found; where there are none, nothing speaks against its end', async () => {
  expect(await probeOf({ gone: {}, sound: {} }).probe.findsOthers('gone')).toBe(true);
  expect(await probeOf({ gone: {}, other: {} }).probe.findsOthers('gone')).toBe(false);
  expect(await probeOf({ gone: {} }).probe.findsOthers('gone')).toBe(true);
});
