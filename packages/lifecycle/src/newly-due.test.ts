import { type LiveStatus, NEW_INTAKE, PolicySet, type SessionRecord } from '@sandman/core';
import { expect, it } from 'vitest';
import { session, T0 } from './lifecycle.fixture.ts';
import { countNewlyDue } from './newly-due.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const book = new PolicySet();
const lasting = { ...book.resolve('balanced'), name: 'house', deleteAfter: 30 * DAY };
const short = { ...lasting, deleteAfter: 2 * DAY };
/** All sessions of the policy `house` are to have `deleteAfter: 2d`. */
const next = { version: 2, rank: 7, successor: ({ policy }: Pick<SessionRecord, 'policy'>) => (policy.name === 'house' ? short : null) };

let uuids = 0;
/** A session of the former policy that has slept for `days`. */
function sleeper(days: number, change: Partial<SessionRecord> = {}): SessionRecord {
  const sleptAt = T0 - days * DAY;
  return session({
    uuid: `s${++uuids}`,
    policy: lasting,
    wanted: 'asleep',
    pod: 'asleep',
    sleptAt,
    lastActivity: sleptAt,
    ...change,
  });
}

/** Counts what is newly due among these sessions; `sample` returns them in turn, `limit` at a time. */
function count(records: readonly SessionRecord[], sleeping = records.length) {
  let turn = 0;
  let read = 0;
  const store = {
    async sample(limit: number) {
      const some = Array.from({ length: Math.min(limit, records.length) }, () => records[turn++ % records.length]!);
      read += some.length;
      return some.map((record) => ({ record, now: T0 }));
    },
    count: async () => ({ sleeping }) as Record<LiveStatus, number>,
  };
  return countNewlyDue(store, next).then((counted) => ({ ...counted, read }));
}

it('counts sleeping sessions that the new policies make due within a day', async () => {
  // Slept 1.5 days: due in half a day. Slept 9 days: overdue, so due after the notice. Slept half a day: due in 1.5 days.
  expect(await count([sleeper(1.5), sleeper(9), sleeper(0.5)])).toMatchObject({ sleeping: 3, due: 2 });
});

it.each([
  ['due within a day before', sleeper(29.5)],
  ['kept for longer', sleeper(9, { keepUntil: T0 + 2 * DAY })],
  ['in the grace of a requested delete', sleeper(9, { cause: 'manual', manualSleepAt: T0 - HOUR, graceUntil: T0 + 3 * DAY })],
  ['of another policy', sleeper(9, { policy: book.resolve('conservative') })],
  ['awake', sleeper(9, { wanted: 'awake', pod: 'awake' })],
  ['falling asleep', sleeper(9, { pod: 'awake', cause: 'idle' })],
])('does not count one that is %s', async (_, record) => {
  expect(await count([record])).toMatchObject({ due: 0 });
});

it('a keep that ends within a day does not prevent it, and a notice of more than a day does', async () => {
  const notice = { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY, deleteNotice: 2 * DAY };
  expect(await count([sleeper(9, { keepUntil: T0 + HOUR })])).toMatchObject({ due: 1 });
  expect(await count([sleeper(9, { intake: notice })])).toMatchObject({ due: 0 });
});

it('counts all of a small fleet at once, and estimates a large one from 1,000 readings', async () => {
  expect(await count(Array.from({ length: 49 }, () => sleeper(9)))).toEqual({ sleeping: 49, due: 49, read: 49 });
  const many = Array.from({ length: 400 }, (_, i) => sleeper(i % 4 === 0 ? 9 : 0.5));
  expect(await count(many, 1_000_000)).toEqual({ sleeping: 1_000_000, due: 250_000, read: 1_000 });
});

it('counts none where no session sleeps', async () => {
  expect(await count([], 0)).toEqual({ sleeping: 0, due: 0, read: 0 });
});
