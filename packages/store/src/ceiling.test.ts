import { type ActivityKind, deadlines, type Policy, type SessionRecord } from '@sandman/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as fixture from './store.fixture.ts';

const on = fixture.useRedis();
const MINUTE = 60_000;
const minutes = (min: number, max: number) => fc.integer({ min, max }).map((count) => count * MINUTE);

/** The idle deadline of a session that is wanted awake. */
const endOf = (record: SessionRecord) => (record.policy.sleepAfter === null ? deadlines(record).deleteAt : deadlines(record).sleepAt)!;

it('what Redis holds after any background signals ends by the cap, and no sooner than without them', async () => {
  const store = on.store(1);
  const policies: fc.Arbitrary<Policy> = fc.record({
    name: fc.constant('custom'),
    sleepAfter: fc.option(minutes(1, 60), { freq: 3 }),
    deleteAfter: minutes(1, 60),
    backgroundCap: minutes(1, 90),
  });
  // `ago` is in minutes before now; below 0 it is in the future.
  const signal = fc.record({
    kind: fc.constantFrom<ActivityKind>('background', 'background', 'background', 'background', 'background', 'background', 'user'),
    ago: fc.option(fc.integer({ min: -60, max: 120 }), { freq: 4 }),
  });
  let [sessions, capped] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      policies,
      minutes(0, 120),
      fc.option(minutes(1, 60)),
      fc.array(signal, { maxLength: 12 }),
      async (policy, idle, held, signals) => {
        const uuid = `s${sessions++}`;
        const created = await fixture.create(store, uuid);
        const started = created.now - idle;
        const holdUntil = held === null ? 0 : created.now + held;
        let { record } = await fixture.put(store, created.record, { policy, createdAt: started, lastActivity: started, holdUntil }, true);
        const after = (policy.sleepAfter ?? policy.deleteAfter)!;
        let user = started;
        for (const { kind, ago } of signals) {
          const at = ago === null ? null : created.now - ago * MINUTE;
          const touched = await store.touch(uuid, kind, at);
          if (touched.kind !== 'touched') throw new Error('not touched');
          // 1 ms more, because the last activity is rounded up.
          if (kind === 'user') user = Math.max(user, Math.min(at ?? Number.POSITIVE_INFINITY, touched.now + 1));
          record = touched.record;
          expect(record.lastActivity).toBeLessThanOrEqual(user);
          const without = Math.max(record.lastActivity + after, holdUntil);
          expect(endOf(record)).toBeGreaterThanOrEqual(without);
          expect(endOf(record)).toBeLessThanOrEqual(Math.max(user + after, user + policy.backgroundCap, holdUntil));
          if (endOf(record) === record.lastActivity + policy.backgroundCap && endOf(record) > without) capped++;
        }
        const asleep = await fixture.put(store, record, { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: created.now }, true);
        for (const { ago } of signals) {
          const late = await store.touch(uuid, 'background', ago === null ? null : created.now - ago * MINUTE);
          expect(late).toMatchObject({ kind: 'dormant', record: asleep.record });
        }
      },
    ),
    { numRuns: 120 },
  );
  expect(capped).toBeGreaterThan(5);
});
