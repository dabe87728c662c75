import { GAP_MS, HEARTBEAT_STALE_MS, type Heartbeat, type Intake, type SessionRecord, shardOf } from '@sandman/core';
import { waitFor } from '@sandman/sandbox';
import { beforeEach, describe, expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { FIELDS } from './record.ts';
import type { RedisSessionStore } from './redis-session-store.ts';
import { create, put, useRedis } from './store.fixture.ts';

const on = useRedis();
/** The store of an API. */
let store: RedisSessionStore;
let record: SessionRecord;

beforeEach(async () => {
  store = on.store(1);
  // Another process creates it, so that the API has no witness yet.
  ({ record } = await create(on.store(1), 'a'));
});

const keys = () => new Keyspace(on.prefix, 1).shards[0]!;

async function intake(): Promise<Intake> {
  return (await store.read('a')).record!.intake;
}

/** Sends heartbeats until one counts; a busy machine may delay one for too long. */
function beatInTime(by = store): Promise<Heartbeat> {
  return waitFor('a heartbeat counts', async () => {
    const found = await by.heartbeat(0, true);
    return found.now - (await intake()).lastHeartbeat <= HEARTBEAT_STALE_MS ? found : null;
  });
}

/** Makes the last heartbeat older by this time. */
async function silence(ms: number): Promise<void> {
  await on.redis.hincrby(keys().intake, 'beat', -ms);
}

describe('a heartbeat', () => {
  it('says when pings could be taken, and finds nothing wrong', async () => {
    expect(await beatInTime()).toMatchObject({ gap: 0, rewound: false });
    expect(await intake()).toMatchObject({ gapEndedAt: 0, lostTime: 0, rewoundAt: 0 });
  });

  it('counts though it is the first of its process', async () => {
    await waitFor('a first heartbeat counts', async () => {
      const { now } = await on.store(1).heartbeat(0, true);
      return (await intake()).lastHeartbeat === now;
    });
  });

  it('says nothing where its process takes no pings', async () => {
    await beatInTime();
    const { lastHeartbeat } = await intake();
    expect(await store.heartbeat(0, false)).toMatchObject({ gap: 0, rewound: false });
    await silence(5_000);
    expect(await store.heartbeat(0, false)).toMatchObject({ gap: 0, rewound: false });
    expect((await intake()).lastHeartbeat).toBe(lastHeartbeat - 5_000);
  });

  it('says nothing where it lay in the socket of a frozen Redis for more than half a second', async () => {
    const { now } = await beatInTime();
    const { lastHeartbeat } = await intake();
    await on.redis.client('PAUSE', 1_500);
    const found = await store.heartbeat(0, true);
    expect(found.now).toBeGreaterThan(now + 500);
    expect((await intake()).lastHeartbeat).toBe(lastHeartbeat);
    await beatInTime();
  });

  it('from the future counts for nothing: how long no ping could be taken is unknown, so it counts as activity', async () => {
    await beatInTime();
    await silence(-60_000);
    expect((await intake()).lastHeartbeat).toBe(0);
    // A worker's heartbeat detects it too.
    const { now, gap } = await store.heartbeat(0, false);
    expect(gap).toBe(0);
    expect(await intake()).toMatchObject({ lastHeartbeat: 0, gapEndedAt: now, lostTime: 0 });
    const next = await beatInTime();
    expect(next.gap).toBeGreaterThan(GAP_MS);
    expect((await intake()).gapEndedAt).toBe(next.now);
  });

  it('counts for the time at which it was sent, and not at which Redis executed it', async () => {
    await beatInTime();
    await waitFor('one is held up, and counts', async () => {
      await on.redis.client('PAUSE', 200);
      const { now } = await store.heartbeat(0, true);
      const { lastHeartbeat } = await intake();
      return now - lastHeartbeat >= 150 && now - lastHeartbeat <= HEARTBEAT_STALE_MS;
    });
  });

  it('after more than 2 s of silence ends a gap: activity for all sessions, and that much lost time', async () => {
    await beatInTime();
    await silence(3_000);
    const first = await beatInTime();
    expect(first.gap).toBeGreaterThanOrEqual(3_000);
    expect(await intake()).toMatchObject({ gapEndedAt: first.now, lostTime: first.gap, rewoundAt: 0 });
    await silence(10_000);
    const second = await beatInTime();
    expect(await intake()).toMatchObject({ gapEndedAt: second.now, lostTime: first.gap + second.gap, rewoundAt: 0 });
  });

  it('of any API will do: of two that are away in turn neither leaves a gap', async () => {
    const other = on.store(1);
    await beatInTime();
    await beatInTime(other);
    await silence(1_000);
    expect((await beatInTime(other)).gap).toBe(0);
    await silence(1_000);
    expect((await beatInTime()).gap).toBe(0);
    expect((await intake()).lostTime).toBe(0);
  });
});

describe('a Redis that came back with older data', () => {
  const write = async () => (await put(store, record, { holdUntil: 1 }, true)).record;
  const set = (fields: { rev?: number; n?: number }) =>
    on.redis.hset(
      keys().session('a'),
      Object.fromEntries(Object.entries(fields).map(([name, value]) => [FIELDS[name as 'rev' | 'n'], value])),
    );

  it.each<[string, (last: SessionRecord) => Promise<unknown>]>([
    ['its last write is missing', ({ rev }) => set({ rev: rev - 1 })],
    ['others have written since, on what stood before it', ({ rev, n }) => set({ rev: rev + 3, n: n - 1 })],
    ['another write stands in its place', ({ n }) => set({ n: n + 1 })],
    ['the session itself is missing', () => on.redis.del(keys().session('a'))],
  ])('is found out where %s, once', async (_, lose) => {
    await lose(await write());
    const found = await store.heartbeat(0, false);
    expect(found.rewound).toBe(true);
    expect((await store.heartbeat(0, false)).rewound).toBe(false);
    await create(on.store(1), 'another');
    expect((await store.read('another')).record?.intake).toMatchObject({ gapEndedAt: found.now, rewoundAt: found.now });
  });

  it('is found out by a ping that is missing', async () => {
    await beatInTime();
    const { record: pinged } = await store.touch('a', 'user', null);
    await set({ rev: pinged!.rev - 1 });
    expect((await store.heartbeat(0, true)).rewound).toBe(true);
  });

  it('is none where the write stands, nor where others have gone on from it', async () => {
    const last = await write();
    expect((await store.heartbeat(0, false)).rewound).toBe(false);
    await put(on.store(1), last, { holdUntil: 2 }, true);
    expect((await store.heartbeat(0, false)).rewound).toBe(false);
    expect(await intake()).toMatchObject({ gapEndedAt: 0, rewoundAt: 0 });
  });

  it('is found out in the shard where the write was, and in no other', async () => {
    const sharded = on.store(2);
    const uuids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const [mine, others] = [0, 1].map((shard) => uuids.find((uuid) => shardOf(uuid, 2) === shard)!) as [string, string];
    for (const uuid of [mine, others]) await on.redis.del(new Keyspace(on.prefix, 2).of(uuid).session(uuid));
    await create(sharded, mine);
    await create(sharded, others);
    await on.redis.del(new Keyspace(on.prefix, 2).of(mine).session(mine));
    expect([(await sharded.heartbeat(1, false)).rewound, (await sharded.heartbeat(0, false)).rewound]).toEqual([false, true]);
  });
});
