import { type SessionRecord, TOMBSTONE_MS } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Keyspace } from './keys.ts';
import { FIELDS } from './record.ts';
import type { RedisSessionStore } from './redis-session-store.ts';
import * as fixture from './store.fixture.ts';

const { policy } = fixture;
const on = fixture.useRedis();
let store: RedisSessionStore;

beforeEach(() => {
  store = on.store(3);
});

const create = (uuid: string, userId?: string, former?: SessionRecord) => fixture.create(store, uuid, userId, former);
const put = (record: SessionRecord, patch: Partial<SessionRecord>, alarms?: boolean) => fixture.put(store, record, patch, alarms);

describe('commit', () => {
  it('writes only on the record the decision was made on, and answers the one it leaves', async () => {
    const { record } = await create('a');
    await put(record, { pod: 'unknown' });
    const late = await store.commit('a', record, { patch: { wanted: 'gone' }, alarms: true });
    expect(late).toMatchObject({ kind: 'conflict', record: { wanted: 'awake', pod: 'unknown', rev: record.rev + 1 } });
    await expect(create('a', 'eve')).rejects.toThrow('not created');
  });

  it('tells a rev that comes twice, as it may where Redis has forgotten something, by its token', async () => {
    const { record } = await create('a');
    const begun = await put(record, { action: 'sleep', token: 'mine' });
    await on.redis.hset(new Keyspace(on.prefix, 3).of('a').session('a'), FIELDS.token, 'another');
    const end = await store.commit('a', begun.record, { patch: { action: '', token: '' }, alarms: false });
    expect(end).toMatchObject({ kind: 'conflict', record: { rev: begun.record.rev, token: 'another' } });
  });

  it('reads back what it wrote, and forgets what is none', async () => {
    const { record } = await create('a');
    const written = await put(record, { lastError: 'x', failures: 2, retryAt: 5 });
    expect(written.record).toMatchObject({ userId: 'ada', workspaceUrl: 'https://x.example', policy, lastError: 'x', failures: 2 });
    expect((await put(written.record, { lastError: '', failures: 0, retryAt: 0 })).record).toEqual({ ...record, rev: record.rev + 2 });
  });

  it('keeps half a surrogate pair in a user as U+FFFD, and finds the session by it', async () => {
    const { record } = await create('halved', 'half \ud83d');
    expect(record.userId).toBe('half \ufffd');
    expect((await store.list({ userId: 'half \ufffd' }, 10, null)).items).toHaveLength(1);
  });

  it('keeps any text: quotes, control characters, half a surrogate pair as U+FFFD', async () => {
    const { record } = await create('a', 'ada "\\\0\u{1f600}');
    const written = await put(record, { lastError: 'half \ud83d', pod: 'unknown', wanted: 'asleep' });
    expect(written.record).toMatchObject({ userId: 'ada "\\\0\u{1f600}', lastError: 'half \ufffd' });
    expect(await fixture.uuidsOf(store, ['ada "\\\0\u{1f600}'])).toEqual(['a']);
  });

  it('never draws an alarm number twice, not even for a uuid that comes back', async () => {
    const { record } = await create('a');
    const second = await put(record, {}, true);
    expect(second.record.n).toBeGreaterThan(record.n);
    const dead = await put(second.record, { wanted: 'gone', pod: 'gone', deletedAt: second.now });
    expect((await create('a', 'bob', dead.record)).record.n).toBeGreaterThan(second.record.n);
  });

  it('sets a lease by its own clock', async () => {
    const { record } = await create('a');
    const result = await store.commit('a', record, { patch: { action: 'sleep', token: 't' }, alarms: false, lease: 8_000 });
    expect(result.record?.actionUntil).toBe(result.now + 8_000);
    const renewed = await store.renew('a', 't', 9_000);
    expect(renewed.record?.actionUntil).toBe(renewed.now + 9_000);
    expect((await store.renew('a', 'another', 60_000)).record?.actionUntil).toBe(renewed.record?.actionUntil);
  });
});

describe('touch', () => {
  it('never moves backwards, and the future counts as now', async () => {
    const { record, now } = await create('a');
    expect(await store.touch('a', 'user', now - 60_000)).toMatchObject({ kind: 'touched', record: { lastActivity: record.lastActivity } });
    const ahead = await store.touch('a', 'user', now + 60_000);
    expect(ahead.record!.lastActivity).toBeLessThanOrEqual(ahead.now + 1);
  });

  it('says that alarms move once per slack, each by its own waiting time', async () => {
    const { record, now } = await create('a');
    const { record: aged } = await put(record, { lastActivity: now - 600_000, sleepAnchor: now - 600_000, deleteAnchor: now - 600_000 });
    expect(aged.rev).toBe(record.rev + 1);
    // 10 minutes are more than 1 % of 15 minutes, and less than 1 % of 24 h 15 m.
    expect(await store.touch('a', 'user', null)).toMatchObject({ moved: { sleep: true, delete: false } });
    expect(await store.touch('a', 'user', null)).toMatchObject({ moved: { sleep: false, delete: false } });
  });

  it('writes nothing where the session is not wanted awake', async () => {
    const { record } = await create('a');
    const asleep = await put(record, { wanted: 'asleep', pod: 'asleep' });
    expect(await store.touch('a', 'user', null)).toMatchObject({ kind: 'dormant', record: asleep.record });
    expect(await store.touch('nobody', 'user', null)).toMatchObject({ kind: 'dormant', record: null });
  });
});

it('a mark goes when its number is armed, and stays when a newer one was drawn', async () => {
  const first = await create('a');
  const second = await put(first.record, {}, true);
  expect(await store.unmark('a', first.record.n)).toBe(false);
  expect(await store.marked(0)).toEqual(['a']);
  expect(await store.unmark('a', second.record.n)).toBe(true);
  expect(await store.marked(0)).toEqual([]);
});

it('pages through all shards, missing and repeating no session while sessions change', async () => {
  const uuids = Array.from({ length: 50 }, (_, i) => `s${i}`);
  await Promise.all(uuids.map((uuid) => create(uuid)));
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await store.list({}, 7, cursor);
    seen.push(...page.items.map(({ record }) => record.uuid));
    cursor = page.cursor;
    // Between two pages, sessions before and after the cursor fall asleep.
    for (const uuid of [uuids[seen.length % 50]!, uuids[(seen.length * 7) % 50]!]) {
      const { record } = await store.read(uuid);
      await put(record!, { wanted: 'asleep', pod: 'asleep' });
    }
  } while (cursor);
  expect(seen.toSorted()).toEqual(uuids.toSorted());
  const counts = await store.count();
  expect(counts.active + counts.sleeping).toBe(50);
});

it('keeps a user’s live sessions apart from the deleted ones', async () => {
  const { record } = await create('a');
  await create('b');
  await put(record, { wanted: 'gone', pod: 'gone', deletedAt: record.createdAt });
  expect(await fixture.uuidsOf(store, ['ada'])).toEqual(['b']);
  expect((await store.list({ userId: 'ada' }, 10, null)).items.map((reading) => reading.record.uuid)).toEqual(['b']);
  expect((await store.list({ userId: 'ada', status: 'deleted' }, 10, null)).items.map((reading) => reading.record.uuid)).toEqual(['a']);
  expect((await store.list({ status: 'deleted' }, 10, null)).items).toHaveLength(1);
  expect((await store.list({}, 10, null)).items).toHaveLength(1);
});

it('survives a Redis that has forgotten its scripts', async () => {
  await create('a');
  await on.redis.script('FLUSH');
  expect((await store.read('a')).record?.uuid).toBe('a');
});

it('removes all tombstones that are past their time, however many there are', async () => {
  store = on.store(1);
  const uuids = Array.from({ length: 250 }, (_, i) => `old${i}`);
  for (const uuid of uuids) {
    const { record, now } = await create(uuid);
    await fixture.put(store, record, { wanted: 'gone', pod: 'gone', cause: 'manual', deletedAt: now - TOMBSTONE_MS - 1_000 });
  }
  const { tombstones } = new Keyspace(on.prefix, 1).shards[0]!;
  await on.redis.zadd(tombstones, ...uuids.flatMap((uuid) => [1, uuid]));
  expect(await store.removeTombstones()).toBe(250);
  expect(await store.removeTombstones()).toBe(0);
  expect((await store.read('old249')).record).toBeNull();
});
