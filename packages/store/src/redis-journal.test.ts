import { PolicySet } from '@sandman/core';
import { expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { encodePosition } from './position.ts';
import { RedisJournal } from './redis-journal.ts';
import { create, put, useRedis } from './store.fixture.ts';

const on = useRedis();
const SHARDS = 3;
const journal = (shards = SHARDS) => new RedisJournal(on.redis, { prefix: on.prefix, shards });
const uuids = Array.from({ length: 12 }, (_, i) => `s${i}`);

it('a session’s history is its last 20 changes, newest first', async () => {
  const store = on.store(1);
  let { record } = await create(store, 'a');
  for (let i = 0; i < 11; i++) {
    ({ record } = await put(store, record, { wanted: 'asleep', pod: 'asleep', cause: 'manual' }));
    ({ record } = await put(store, record, { wanted: 'awake', pod: 'awake', cause: 'activity' }));
  }
  const changes = await journal(1).history('a');
  expect(changes).toHaveLength(20);
  expect(changes[0]).toMatchObject({ from: 'sleeping', to: 'active', cause: 'activity' });
  expect(changes.map(({ at }) => at)).toEqual(changes.map(({ at }) => at).toSorted((a, b) => b - a));
  expect(await journal(1).history('nobody')).toEqual([]);
});

it('the usage of all shards adds up to the elapsed time, running pods included', async () => {
  const store = on.store(SHARDS);
  const born = await Promise.all(uuids.map((uuid) => create(store, uuid)));
  const slept = await Promise.all(
    born.map(({ record }) => put(store, record, { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: record.createdAt })),
  );
  // Half of the sessions are woken, under another policy.
  const policy = new PolicySet().resolve('simple');
  const woken = await Promise.all(
    slept.slice(0, 6).map(({ record }) => put(store, record, { wanted: 'awake', pod: 'awake', cause: 'activity', policy })),
  );
  const usage = await journal().usage();
  const { now } = await store.read('s0');
  const balanced = usage.get('balanced')!;
  const simple = usage.get('simple')!;
  const sum = (readings: readonly { now: number }[]) => readings.reduce((total, { now: at }) => total + at, 0);
  // Computed from the times that the scripts returned, not from waiting.
  expect(balanced.awake).toBe(sum(slept) - sum(born));
  expect(balanced.asleep).toBeGreaterThanOrEqual(sum(woken) - sum(slept.slice(0, 6)));
  expect(balanced.asleep).toBeLessThanOrEqual(sum(woken) - sum(slept.slice(0, 6)) + 6 * now - sum(slept.slice(6)));
  expect(balanced.awake + balanced.asleep + simple.awake).toBe(balanced.alwaysOn + simple.alwaysOn);
  expect(simple.asleep).toBe(0);
  expect([balanced.regrets, simple.regrets]).toEqual([6, 0]);
});

it('a wake more than 5 minutes after its sleep is no regret', async () => {
  const store = on.store(1);
  const { record } = await create(store, 'a');
  const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle' } as const;
  const wake = { wanted: 'awake', cause: 'activity' } as const;
  let reading = await put(store, record, { ...asleep, sleptAt: record.createdAt - 301_000 });
  reading = await put(store, reading.record, wake);
  expect((await journal(1).usage()).get('balanced')?.regrets ?? 0).toBe(0);
  reading = await put(store, reading.record, { ...asleep, sleptAt: record.createdAt - 290_000 });
  await put(store, reading.record, wake);
  expect((await journal(1).usage()).get('balanced')?.regrets).toBe(1);
});

it('events of all shards are read once each, in pages of any size, from any of their ids on', async () => {
  const store = on.store(SHARDS);
  const begin = await journal().end();
  for (const uuid of uuids) await create(store, uuid);
  const read = async (from: readonly string[], limit: number) => {
    const found = [];
    for (let at = from; ; ) {
      const page = await journal().after(at, limit);
      if (page.length === 0) return found;
      found.push(...page);
      at = page.at(-1)!.position;
    }
  };
  const all = await read(begin, 500);
  expect(all.map(({ uuid }) => uuid).toSorted()).toEqual(uuids.toSorted());
  expect(all[0]).toMatchObject({ userId: 'ada', from: '', to: 'active', cause: 'created' });
  expect((await read(begin, 1)).map(({ uuid }) => uuid).toSorted()).toEqual(uuids.toSorted());
  for (const [i, { position }] of all.entries()) {
    const rest = await read(journal().decodePosition(encodePosition(position), 'id'), 2);
    expect(rest.map(({ uuid }) => uuid).toSorted()).toEqual(
      all
        .slice(i + 1)
        .map(({ uuid }) => uuid)
        .toSorted(),
    );
  }
});

it('tells a position after which something was trimmed from one after which nothing was', async () => {
  const store = on.store(1);
  const { events } = new Keyspace(on.prefix, 1).shards[0]!;
  const begin = await journal(1).end();
  for (const uuid of uuids) await create(store, uuid);
  const [first, second] = await journal(1).after(begin, 500);
  expect(await journal(1).isKept(begin)).toBe(true);
  await on.redis.xtrim(events, 'MAXLEN', 11);
  expect(await journal(1).isKept(first!.position)).toBe(false);
  expect(await journal(1).isKept(second!.position)).toBe(true);
});
