import { randomUUID } from 'node:crypto';
import { PolicySet, shardOf } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { system } from '@sandman/runtime';
import { waitFor } from '@sandman/sandbox';
import { RedisJournal, RedisSessionStore, RedisShardState, RedisWorkerRegistry } from '@sandman/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useDashboards } from './dashboard.fixture.ts';
import { overviewOf } from './overview.ts';
import { sessionDetails, sessionPage } from './sessions.ts';

const on = useDashboards();
const policies = new PolicySet();
const everybody = { find: '', status: undefined, cursor: null };

function fleet(shards: number) {
  const prefix = `looking-${randomUUID()}`;
  const store = new RedisSessionStore(on.redis, { prefix, shards, slack: 1 });
  const journal = new RedisJournal(on.redis, { prefix, shards });
  const alarms = new AlarmQueues(on.redis, prefix, shards, () => {});
  const service = new SessionService({ store, alarms, policies: unchanging(policies.default), system, unarmed: () => {} });
  const begin = (uuid: string, userId = 'ada', policy: unknown = 'balanced') =>
    service.track(uuid, { userId, workspaceUrl: '', policy: policies.resolve(policy) });
  const shardState = new RedisShardState(on.redis, { prefix, shards });
  return { store, shardState, journal, alarms, service, begin, registry: new RedisWorkerRegistry(on.redis, prefix), podPrice: 0.5 };
}

let on3: ReturnType<typeof fleet>;
beforeEach(() => {
  on3 = fleet(3);
});
afterEach(() => on3.alarms.close());

describe('the list', () => {
  it('is given page by page, each session once', async () => {
    await Promise.all(Array.from({ length: 120 }, (_, i) => on3.begin(`s${i}`)));
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let pages = 1; ; pages++) {
      const page = await sessionPage(on3.store, { ...everybody, cursor });
      expect(page.items.length).toBeLessThanOrEqual(50);
      seen.push(...page.items.map(({ uuid }) => uuid));
      cursor = page.nextCursor;
      if (cursor === null) break;
      expect(pages).toBeLessThan(5);
    }
    expect(seen).toHaveLength(120);
    expect(new Set(seen).size).toBe(120);
  });

  it('finds a user’s sessions, and a session by its name, deleted or not', async () => {
    for (const [uuid, user] of [
      ['a1', 'ada'],
      ['a2', 'ada'],
      ['g1', 'grace'],
      ['ada', 'grace'],
    ] as const)
      await on3.begin(uuid, user);
    const found = async (find: string, status?: 'active' | 'deleted') =>
      (await sessionPage(on3.store, { find, status, cursor: null })).items.map(({ uuid }) => uuid).sort();
    expect(await found('grace')).toEqual(['ada', 'g1']);
    expect(await found('g1')).toEqual(['g1']);
    // `ada` is both a user and the uuid of a session of another user.
    expect(await found('ada')).toEqual(['a1', 'a2', 'ada']);
    expect(await found('nobody')).toEqual([]);
    const { record } = await on3.service.get('g1');
    await on3.store.commit('g1', record, { patch: { wanted: 'gone', pod: 'gone', cause: 'logout', deletedAt: Date.now() }, alarms: false });
    expect(await found('g1')).toEqual(['g1']);
    expect(await found('g1', 'active')).toEqual([]);
    expect(await found('grace')).toEqual(['ada']);
    expect(await found('grace', 'deleted')).toEqual(['g1']);
    expect(await sessionDetails(on3, 'g1')).toMatchObject({
      session: { uuid: 'g1', status: 'deleted' },
      history: [
        { from: 'active', to: 'deleted', cause: 'logout' },
        { from: null, to: 'active', cause: 'created' },
      ],
    });
    expect(await sessionDetails(on3, 'nobody')).toEqual({ uuid: 'nobody', session: null, alarms: [], history: [] });
  });
});

it('a keep and a running grace are shown in the list and in the open session', async () => {
  for (const uuid of ['plain', 'kept', 'leaving', 'both']) await on3.begin(uuid);
  for (const uuid of ['kept', 'both']) await on3.service.keep(uuid, { for: 7 * 86_400_000 });
  await on3.service.remove('leaving', { grace: 240_000 });
  await on3.service.remove('both', { grace: 240_000, force: true });
  await on3.service.keep('both', { for: 3_600_000 });
  const { items } = await sessionPage(on3.store, everybody);
  expect(Object.fromEntries(items.map(({ uuid, inGrace, keepUntil }) => [uuid, [inGrace, keepUntil !== null]]))).toEqual({
    plain: [false, false],
    kept: [false, true],
    leaving: [true, false],
    both: [true, true],
  });
  // The delete waits for the end of the keep.
  const both = (await sessionDetails(on3, 'both')).session!;
  expect(both.deleteAt).toBe(both.keepUntil);
  await on3.service.wake('leaving');
  expect((await sessionDetails(on3, 'leaving')).session).toMatchObject({ inGrace: false });
  await on3.service.remove('leaving', { grace: 240_000 });
  // As a worker writes it when the grace is over.
  const { record } = await on3.service.get('leaving');
  await on3.store.commit('leaving', record, { patch: { wanted: 'gone' }, alarms: false });
  expect((await sessionDetails(on3, 'leaving')).session).toMatchObject({ status: 'deleting', inGrace: false, deleteAt: null });
});

it('a session’s alarms are shown with the times at which they ring, also after a move', async () => {
  const { record } = await on3.begin('s1', 'ada', { sleepAfter: '10m', deleteAfter: '1h' });
  const sleep = { name: 'sleep', uuid: 's1', n: record.n } as const;
  const { now } = await on3.store.read('s1');
  await on3.alarms.move(sleep, now + 1_800_000);
  const { alarms } = await sessionDetails(on3, 's1');
  expect(alarms.map(({ name }) => name)).toEqual(['sleep', 'delete']);
  expect(Math.abs(alarms[0]!.at - now - 1_800_000)).toBeLessThan(2_000);
  const shard = shardOf('s1', 3);
  expect(alarms[0]!.path).toBe(`/queues/queue/${shard}-sleep/sleep-s1-${record.n}`);
});

it('alarms that are due and that no worker takes are shown with how long', async () => {
  await on3.begin('s1');
  expect(await on3.alarms.late()).toEqual({ sleep: 0, delete: 0, wake: 0 });
  const { record } = await on3.service.sleep('s1');
  await on3.alarms.disarm('s1', record.n, ['wake', 'sleep', 'delete']);
  const { now } = await on3.store.read('s1');
  await on3.alarms.arm('s1', record.n, [{ name: 'wake', at: now }]);
  const late = await waitFor('it is late', async () => {
    const found = await on3.alarms.late();
    return found.wake > 300 ? found : null;
  });
  expect(late).toMatchObject({ sleep: 0, delete: 0 });
  expect(late.wake).toBeLessThan(10_000);
});

describe('the overview', () => {
  it('says whose calls fail, and shows them alone', async () => {
    for (const uuid of ['well', 'ill']) await on3.begin(uuid);
    const { record, now } = await on3.service.get('ill');
    const patch = { pod: 'unknown', failures: 3, failingSince: now - 60_000, lastError: 'wake: HTTP 500' } as const;
    await on3.store.commit('ill', record, { patch, alarms: false });
    const overview = await overviewOf(on3);
    expect(overview.failing).toBe(1);
    expect(overview.troubles).toContainEqual(expect.objectContaining({ level: 'bad', what: expect.stringContaining('wake: HTTP 500') }));
    const failing = { find: '', status: 'failing', cursor: null } as const;
    const names = async (find = '') => (await sessionPage(on3.store, { ...failing, find })).items.map(({ uuid }) => uuid);
    expect(await names()).toEqual(['ill']);
    expect(await names('ada')).toEqual(['ill']);
    expect(await names('grace')).toEqual([]);
  });

  it('says what is next by the records, soonest first, also where a job rings earlier', async () => {
    await on3.begin('later', 'ada', { sleepAfter: '30m', deleteAfter: '1h' });
    await on3.begin('soon', 'ada', { sleepAfter: '10m', deleteAfter: '1h' });
    await on3.begin('never', 'ada', { sleepAfter: 'never', deleteAfter: 'never' });
    await on3.begin('idle', 'ada', { sleepAfter: 'never', deleteAfter: '20m' });
    // Its deadline moves to later and its job does not, as with pings within the slack.
    const { record, now } = await on3.service.get('soon');
    await on3.store.commit('soon', record, { patch: { holdUntil: now + 3_600_000 }, alarms: false });
    const { next } = await overviewOf(on3);
    expect(next.map(({ uuid, what }) => `${uuid} ${what}`)).toEqual(['idle delete', 'later sleep', 'soon sleep']);
    expect(Date.parse(next[2]!.at)).toBe(now + 3_600_000);
  });

  it('counts sessions and pods, and knows of no worker and no API where there is none', async () => {
    for (const uuid of ['a', 'b', 'c']) await on3.begin(uuid);
    const { record } = await on3.service.get('a');
    await on3.store.commit('a', record, { patch: { wanted: 'asleep', pod: 'asleep', sleptAt: record.createdAt }, alarms: false });
    const overview = await overviewOf(on3);
    expect(overview).toMatchObject({
      sessions: { active: 2, sleeping: 1, waking: 0 },
      pods: { awake: 2, asleep: 1 },
      beatAgo: null,
      workers: { alive: 0, barred: 0 },
      sweep: { visitedAgo: null, repairs: 0, last: null },
    });
    expect(overview.savings.cost).toBeDefined();
    expect(overview.troubles.map(({ alert }) => alert)).toEqual(['SandmanNoWorker', 'SandmanSilent']);
  });

  it('shows that pings are taken only when every shard can take them', async () => {
    await on3.store.heartbeat(0, true);
    await on3.store.heartbeat(1, true);
    expect((await overviewOf(on3)).beatAgo).toBeNull();
    await on3.store.heartbeat(2, true);
    expect((await overviewOf(on3)).beatAgo).toBeLessThan(2_000);
  });

  it('tells of the sweep and its repairs', async () => {
    await on3.registry.report({ id: 'w', host: 'h', pid: 1, upFor: 9, trouble: null, troubleFor: 0, sweptAgo: 400, clockAhead: 0 });
    await on3.registry.repaired('missing', 's1');
    await on3.registry.repaired('unarmed', '', 2);
    const { sweep } = await overviewOf(on3);
    expect(sweep).toMatchObject({ repairs: 3, last: { kind: 'unarmed' } });
    expect(sweep.visitedAgo).toBeGreaterThanOrEqual(400);
  });
});
