import { type OwnedSession, type Reading, type SessionRecord, type SessionStore, shardOf } from '@sandman/core';
import { expect, it } from 'vitest';
import { session, settlePromises, stub, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';
import { SessionService } from './session-service.ts';
import { unchanging } from './shared-policies.ts';

/** Returns a service on a store that finds these sessions by user, all of them `ada`'s. */
function serviceOn(uuids: readonly string[], does: Partial<SessionStore>): SessionService {
  async function* ofUsers(): AsyncGenerator<readonly OwnedSession[]> {
    yield uuids.map((uuid) => ({ uuid, userId: 'ada' }));
  }
  const store = stubStore({ ofUsers, ...does });
  return new SessionService({
    store,
    alarms: stub({}),
    policies: unchanging(session().policy),
    system: new VirtualTime(),
    unarmed: () => {},
  });
}

const reading = (uuid: string, change: Partial<SessionRecord> = {}): Reading & { record: SessionRecord } => ({
  record: session({ uuid, policyRank: 0, ...change }),
  now: T0,
});
const touched = (uuid: string, change: Partial<SessionRecord> = {}) =>
  ({ kind: 'touched', moved: { sleep: false, delete: false }, ...reading(uuid, change) }) as const;
const same = <T>(one: T) => one;
const uuidsOf = (readings: readonly Reading[]) => readings.map(({ record }) => record?.uuid);

it('a session that was deleted or changed its user since it was found is left out, and nothing is written to it', async () => {
  const found: Record<string, Awaited<ReturnType<SessionStore['touch']>>> = {
    mine: touched('mine'),
    given: touched('given', { userId: 'eve' }),
    // No commit is expected: the store throws on one.
    asleep: { kind: 'dormant', ...reading('asleep', { userId: 'eve', wanted: 'asleep', pod: 'asleep' }) },
    leaving: { kind: 'dormant', ...reading('leaving', { wanted: 'gone' }) },
    forgotten: { kind: 'dormant', record: null, now: T0 },
  };
  const service = serviceOn(Object.keys(found), { touch: async (uuid) => found[uuid]! });
  expect(uuidsOf(await service.activity.recordOfUser('ada', 'user', null, same))).toEqual(['mine']);
  expect(await service.activity.recordAll([{ userId: 'ada', kind: 'user', at: null }], () => {})).toEqual([null]);
});

it('a logout deletes no session that got another user after it was found', async () => {
  const conflict = { kind: 'conflict', ...reading('moving', { userId: 'eve' }) } as const;
  const service = serviceOn(['given', 'moving', 'leaving'], {
    read: async (uuid) => reading(uuid, uuid === 'given' ? { userId: 'eve' } : uuid === 'leaving' ? { wanted: 'gone' } : {}),
    commit: async (uuid) => {
      if (uuid === 'moving') return conflict;
      throw new Error(`${uuid} must not be written`);
    },
  });
  expect(await service.logout('ada', 0, same)).toEqual([]);
});

it('a batch of many sessions touches few at once; after a fault nothing more of its shard is tried, and it rejects', async () => {
  let asked = 0;
  const waiting: ((error: Error) => void)[] = [];
  const touch = () => {
    asked++;
    return new Promise<never>((_, reject) => waiting.push(reject));
  };
  const service = serviceOn(
    Array.from({ length: 300 }, (_, i) => `s${i}`),
    { touch },
  );
  const batch = service.activity.recordAll([{ userId: 'ada', kind: 'user', at: null }], () => {});
  const outcome = expect(batch).rejects.toThrow('Redis is away');
  await settlePromises();
  expect(asked).toBe(100);
  for (const fail of waiting) fail(new Error('Redis is away'));
  await outcome;
  await settlePromises();
  expect(asked).toBe(100);
});

it('a shard that fails keeps no session of another from its activity, and the call rejects after that', async () => {
  const uuids = Array.from({ length: 1_000 }, (_, i) => `s${i}`);
  const [away, there] = [0, 1].map((shard) => uuids.filter((uuid) => shardOf(uuid, 2) === shard)) as [string[], string[]];
  const done = new Set<string>();
  const store = stubStore({
    shards: 2,
    async *ofUsers(shard) {
      yield (shard === 0 ? away : there).map((uuid) => ({ uuid, userId: 'ada' }));
    },
    async touch(uuid) {
      if (shardOf(uuid, 2) === 0) throw new Error('this shard is away');
      done.add(uuid);
      return touched(uuid);
    },
  });
  const service = new SessionService({
    store,
    alarms: stub({}),
    policies: unchanging(session().policy),
    system: new VirtualTime(),
    unarmed: () => {},
  });
  const signals = uuids.map((uuid) => ({ uuid, kind: 'user', at: null }) as const);
  await expect(service.activity.recordAll(signals, () => {})).rejects.toThrow('this shard is away');
  expect([...done].sort()).toEqual([...there].sort());
  done.clear();
  await expect(service.activity.recordAll([{ userId: 'ada', kind: 'user', at: null }], () => {})).rejects.toThrow('this shard is away');
  expect([...done].sort()).toEqual([...there].sort());
  done.clear();
  await expect(service.activity.recordOfUser('ada', 'user', null, same)).rejects.toThrow('this shard is away');
  expect([...done].sort()).toEqual([...there].sort());
});

it('returns the error code of each signal, and counts what each one recorded', async () => {
  const touch: SessionStore['touch'] = async (uuid) => (uuid === 'unknown' ? { kind: 'dormant', record: null, now: T0 } : touched(uuid));
  const service = serviceOn(['a', 'b'], { touch });
  const counted: string[] = [];
  const signals = [
    { uuid: 'unknown', kind: 'user', at: null },
    { userId: 'ada', kind: 'background', at: T0 },
    { uuid: 'c', kind: 'user', at: null },
    { userId: 'ada', kind: 'user', at: null },
  ] as const;
  expect(await service.activity.recordAll(signals, (kind, { record }) => counted.push(`${record.uuid} ${kind}`))).toEqual([
    'session-not-found',
    null,
    null,
    null,
  ]);
  expect(counted.sort()).toEqual(['a background', 'a user', 'b background', 'b user', 'c user']);
});
