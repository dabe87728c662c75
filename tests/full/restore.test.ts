import { findDatabase, freePort, lacks, waitFor } from '@sandman/sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LostFleet, manySessions } from '../recovery/lost-fleet.ts';
import type { SessionBody } from '../stack.ts';

interface Restored {
  readonly restored: Record<string, number>;
  readonly skipped: { readonly deleted: number; readonly inRedis: number };
  readonly gone: string[];
  readonly unread: string[];
  readonly unknownPolicies: Record<string, number>;
  readonly failed: unknown[];
}

const NONE = { active: 0, 'falling-asleep': 0, sleeping: 0, waking: 0, deleting: 0 };
/** The longest delay of a call after its deadline, in ms. */
const LATE_MS = 400;

const view = async ({ stack }: LostFleet, uuid: string) => (await stack.call<SessionBody>('GET', `/v1/sessions/${uuid}`)).body;
const ms = (time: string | null) => Date.parse(time ?? '');

const [postgres, mysql] = await Promise.all([findDatabase('postgres'), findDatabase('mysql')]);
const lacking = new Map([postgres, mysql].map((server) => [server, lacks(server.kind, server.remedy)]));
afterAll(() => Promise.all([postgres.stop(), mysql.stop()]));

// Concurrent, because the tests mostly wait. The tests of one fleet share it, so they run one after the other.
describe.each([postgres, mysql])('from $kind', { concurrent: true }, (server) => {
  describe.skipIf(lacking.get(server))('a lost fleet', { concurrent: false }, () => {
    let fleet: LostFleet;
    beforeAll(async () => {
      fleet = await LostFleet.start(server, { apis: 1, workers: 1 });
    });
    afterAll(() => fleet?.[Symbol.asyncDispose]());
    afterEach(() => fleet.clear());

    // First: a session created after a loss that processes have yet to notice is to be verified, and none of its sleeps goes through.
    it('what workers wrote into the ledger comes back as it was, and the ledger follows on', async () => {
      await fleet.addLedgerWorker();
      const policy = { sleepAfter: '1h', deleteAfter: '2h' };
      const made = await Promise.all(['awake', 'asleep', 'gone'].map((userId) => fleet.stack.create(userId, policy)));
      const [awake, asleep, gone] = made.map(({ uuid }) => uuid) as [string, string, string];
      await fleet.stack.call('POST', `/v1/sessions/${asleep}/sleep`);
      await fleet.stack.call('DELETE', `/v1/sessions/${gone}`);
      await Promise.all([fleet.stack.until(asleep, 'sleeping'), fleet.stack.until(gone, 'deleted')]);
      const inLedger = async (uuid: string) => (await fleet.ledger.find([uuid]))[0];
      await waitFor('the ledger has it', async () => {
        const [a, b, c] = await Promise.all([awake, asleep, gone].map(inLedger));
        return a?.status === 'active' && b?.status === 'sleeping' && c?.status === 'deleted';
      });
      const before = await Promise.all([awake, asleep].map(async (uuid) => [await view(fleet, uuid), await inLedger(uuid)] as const));
      await fleet.redis.flushall();

      const { code, ...done } = await fleet.document<Restored>(['restore']);
      expect({ code, ...done }).toMatchObject({
        code: 0,
        restored: { ...NONE, active: 1, sleeping: 1 },
        skipped: { deleted: 1 },
        gone: [],
      });
      const { lastActivity, sleepAt, deleteAt, ...rest } = before[0]![0];
      const now = await view(fleet, awake);
      expect(now).toMatchObject(rest);
      expect(ms(now.lastActivity)).toBeGreaterThan(ms(lastActivity));
      expect(ms(now.sleepAt) - ms(now.lastActivity)).toBe(3_600_000);
      expect(await view(fleet, asleep)).toEqual(before[1]![0]);
      // Its events are read from the beginning of the new stream.
      await waitFor('the ledger follows', async () => (await inLedger(awake))!.updatedAt > before[0]![1]!.updatedAt);
      await waitFor('the ledger follows', async () => (await inLedger(asleep))!.updatedAt > before[1]![1]!.updatedAt);
      const { updatedAt: _, rev: __, ...row } = before[1]![1]!;
      expect(await inLedger(asleep)).toMatchObject(row);
    });

    it('everyone comes back, and sleeps and is deleted on time', async () => {
      const brief = { sleepAfter: '1s', deleteAfter: '2s', backgroundCap: '4h' };
      const lasting = { sleepAfter: '1m', deleteAfter: '13s', backgroundCap: '4h' };
      const now = Date.now();
      // A recent write of APIs and workers, whose absence lets them notice the loss.
      await fleet.stack.create('before', 'balanced');
      await fleet.plant({
        ...manySessions(10, 'active', () => ({ status: 'active', replicas: 1, policy: brief })),
        ...manySessions(3, 'roused', () => ({ status: 'active', replicas: 0, policy: brief })),
        ...manySessions(2, 'falling', () => ({ status: 'falling-asleep', replicas: 1, policy: brief })),
        ...manySessions(2, 'waking', () => ({ status: 'waking', replicas: 0, policy: brief })),
        ...manySessions(10, 'asleep', (i) => ({ status: 'sleeping', replicas: 0, policy: lasting, sleptAt: now - 10_000 + 100 * i })),
        ...manySessions(2, 'deleting', () => ({ status: 'deleting', replicas: 1 })),
        ...manySessions(3, 'deleted', () => ({ status: 'deleted', replicas: null })),
        named: { status: 'active', replicas: 1, policy: 'conservative', userId: 'grace' },
        unknown: { status: 'active', replicas: 1, policy: 'no-more' },
      });
      await fleet.redis.flushall();

      const from = Date.now();
      const { code, ...done } = await fleet.document<Restored>(['restore', '--rate', '500']);
      const to = Date.now();
      expect(done).toMatchObject({
        restored: { active: 14, 'falling-asleep': 0, sleeping: 10, waking: 5, deleting: 2 },
        skipped: { deleted: 3, inRedis: 0 },
        gone: [],
        unread: [],
        unknownPolicies: { 'no-more': 1 },
        failed: [],
      });
      expect(code).toBe(0);

      expect(await view(fleet, 'named')).toMatchObject({
        userId: 'grace',
        status: 'active',
        policy: { name: 'conservative', sleepAfter: '30m' },
      });
      expect((await fleet.stack.call<{ items: SessionBody[] }>('GET', '/v1/sessions?userId=grace')).body.items).toHaveLength(1);
      expect(await view(fleet, 'unknown')).toMatchObject({ status: 'active', policy: { name: 'balanced' } });
      const { items } = (await fleet.stack.call<{ items: { cause: string }[] }>('GET', '/v1/sessions/named/history')).body;
      expect(items.map(({ cause }) => cause)).toEqual(['restored']);

      for (const uuid of Object.keys(manySessions(10, 'active', () => ({ status: 'active', replicas: 1 })))) {
        await fleet.stack.until(uuid, 'deleted');
        const [sleep, remove] = await fleet.stack.calls(uuid, 'sleep', 'delete');
        expect(sleep!.at).toBeGreaterThanOrEqual(from + 1_000);
        expect(sleep!.at).toBeLessThanOrEqual(to + 1_000 + LATE_MS);
        expect(remove!.at - sleep!.doneAt).toBeGreaterThanOrEqual(1_990);
        expect(remove!.at - sleep!.at).toBeLessThanOrEqual(2_000 + LATE_MS);
      }
      for (const uuid of Object.keys(manySessions(10, 'asleep', () => ({ status: 'sleeping', replicas: 0 })))) {
        await fleet.stack.until(uuid, 'deleted');
        const calls = await fleet.stack.calls(uuid, 'sleep', 'wake', 'delete');
        expect(calls.map(({ call }) => call)).toEqual(['delete']);
        const due = now - 10_000 + 100 * Number(uuid.slice(-5)) + 13_000;
        expect(calls[0]!.at - due).toBeGreaterThanOrEqual(-10);
        expect(calls[0]!.at - due).toBeLessThanOrEqual(LATE_MS);
      }
      for (const uuid of ['roused-00000', 'falling-00000', 'waking-00000']) await fleet.stack.until(uuid, 'deleted');
      expect((await fleet.stack.calls('roused-00000')).map(({ call }) => call)).toEqual(['status', 'wake', 'status', 'sleep', 'delete']);
      for (const uuid of ['deleting-00000', 'deleting-00001']) await fleet.stack.until(uuid, 'deleted');
    });

    it('a sleeper keeps its slept_at and is deleted when the contract says; one that is overdue has all its time again', async () => {
      const now = Date.now();
      await fleet.plant({
        sleeper: { status: 'sleeping', replicas: 0, sleptAt: now - 3_600_000, lastActivity: now - 4_500_000 },
        overdue: { status: 'sleeping', replicas: 0, sleptAt: now - 90_000_000, lastActivity: now - 91_000_000 },
        kept: { status: 'sleeping', replicas: 0, sleptAt: now - 3_600_000, lastActivity: now - 4_500_000, keepUntil: now + 900_000_000 },
      });
      expect((await fleet.run(['restore'])).code).toBe(0);
      const sleeper = (await fleet.stack.call<SessionBody & { sleptAt: string }>('GET', '/v1/sessions/sleeper')).body;
      expect(ms(sleeper.sleptAt)).toBe(now - 3_600_000);
      expect(ms(sleeper.deleteAt)).toBe(now - 3_600_000 + 86_400_000);
      expect(Math.abs(ms((await view(fleet, 'overdue')).deleteAt) - Date.now() - 86_400_000)).toBeLessThan(10_000);
      const kept = (await fleet.stack.call<SessionBody & { keepUntil: string }>('GET', '/v1/sessions/kept')).body;
      expect([ms(kept.keepUntil), ms(kept.deleteAt)]).toEqual([now + 900_000_000, now + 900_000_000]);
      expect((await fleet.stack.ping('sleeper')).status).toBe('waking');
      await fleet.stack.until('sleeper', 'active');
    });

    it('what is gone is left out and deleted in the ledger; who was woken since is kept awake', async () => {
      await fleet.plant({
        ...manySessions(5, 'there', () => ({ status: 'active', replicas: 1 })),
        lost: { status: 'active', replicas: null },
        woken: { status: 'sleeping', replicas: 1 },
      });
      const began = Date.now();
      const { code, ...done } = await fleet.document<Restored>(['restore']);
      expect(done).toMatchObject({ restored: { ...NONE, active: 6 }, gone: ['lost'] });
      expect(code).toBe(0);
      const reads = await fleet.stack.calls('lost', 'status');
      expect(reads.map(({ status }) => status)).toEqual([404, 404]);
      expect(reads[1]!.at - reads[0]!.doneAt).toBeGreaterThanOrEqual(9_950);
      expect(await fleet.stack.call('GET', '/v1/sessions/lost')).toMatchObject({ status: 404 });
      expect(await fleet.statusInLedger('lost')).toBe('deleted');
      const woken = await view(fleet, 'woken');
      expect(woken.status).toBe('active');
      expect(ms(woken.lastActivity)).toBeGreaterThanOrEqual(began);
    });
  });
});

describe('whatever the database', { concurrent: true }, () => {
  describe.skipIf(lacking.get(postgres))('a lost fleet', { concurrent: false }, () => {
    let fleet: LostFleet;
    beforeAll(async () => {
      fleet = await LostFleet.start(postgres, { apis: 1, workers: 1 });
    });
    afterAll(() => fleet?.[Symbol.asyncDispose]());
    afterEach(() => fleet.clear());

    // First, because `clear` flushes Redis, and this test needs processes whose writes have not been lost.
    it('--lost-at moves sleepers’ deletes out by the time since', async () => {
      const now = Date.now();
      await fleet.plant({ sleeper: { status: 'sleeping', replicas: 0, sleptAt: now - 3_600_000, lastActivity: now - 4_500_000 } });
      expect((await fleet.run(['restore', '--merge', '--lost-at', new Date(now - 1_800_000).toISOString()])).code).toBe(0);
      const late = ms((await view(fleet, 'sleeper')).deleteAt) - (now - 3_600_000 + 86_400_000 + 1_800_000);
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(5_000);
    });

    it('while in doubt pods are kept awake, and workers look again', async () => {
      await fleet.plant({
        ...manySessions(20, 'there', () => ({ status: 'active', replicas: 1 })),
        blind: { status: 'active', replicas: 1 },
        dozing: { status: 'sleeping', replicas: 0, sleptAt: Date.now() - 80_000_000, lastActivity: Date.now() - 80_000_000 },
      });
      for (const uuid of ['blind', 'dozing']) await fleet.stack.fault({ call: 'status', uuid, times: 3, fault: { status: 500 } });
      const { code, unread } = await fleet.document<Restored>(['restore', '--merge']);
      expect({ code, unread: unread.toSorted() }).toEqual({ code: 0, unread: ['blind', 'dozing'] });
      await fleet.stack.until('blind', 'active');
      expect((await fleet.stack.calls('blind')).map(({ call }) => call)).toEqual(['status', 'status', 'status', 'wake']);
      const dozing = await view(fleet, 'dozing');
      expect(dozing.status).toBe('sleeping');
      expect(ms(dozing.deleteAt)).toBeGreaterThan(Date.now() + 86_000_000);
    });

    it('waits where the session-manager asks it to', async () => {
      await fleet.plant(manySessions(3, 'there', () => ({ status: 'active', replicas: 1 })));
      await fleet.stack.fault({ call: 'status', times: 1, fault: { status: 429, retryAfter: '1' } });
      const from = performance.now();
      expect((await fleet.document<Restored>(['restore', '--merge'])).restored).toEqual({ ...NONE, active: 3 });
      expect(performance.now() - from).toBeGreaterThan(1_000);
    });

    it('a Redis that is not empty is refused, unless merging is asked for; what is there stays', async () => {
      const { env, store } = fleet.unusedPrefix();
      await fleet.plant(manySessions(4, 'there', () => ({ status: 'active', replicas: 1 })));
      expect(await fleet.document<Restored>(['restore'], env)).toMatchObject({ code: 0, restored: { ...NONE, active: 4 } });
      const before = await store.read('there-00000');

      expect(await fleet.run(['restore'], env)).toMatchObject({
        code: 1,
        stdout: '',
        stderr:
          'sandman: Redis is not empty: it has 4 sessions (deleted ones count for a day). --merge leaves those alone and restores the others\n',
      });
      await fleet.plant({ late: { status: 'sleeping', replicas: 0 } });
      const merged = await fleet.document<Restored>(['restore', '--merge'], env);
      expect(merged).toMatchObject({ code: 0, restored: { ...NONE, sleeping: 1 }, skipped: { deleted: 0, inRedis: 4 } });
      const again = await fleet.document<Restored>(['restore', '--merge'], env);
      expect(again).toMatchObject({ code: 0, restored: NONE, skipped: { deleted: 0, inRedis: 5 } });
      expect((await store.read('there-00000')).record).toEqual(before.record);
    });

    it('a wrong address writes nobody off, and nothing is written', async () => {
      const { env, store } = fleet.unusedPrefix();
      await fleet.plant(manySessions(30, 'there', (i) => ({ status: i % 2 ? 'active' : 'sleeping', replicas: 1 })));
      const wrong = { ...env, SESSION_MANAGER_URL: `${env.SESSION_MANAGER_URL}/nowhere` };
      const lost = await fleet.run(['restore'], wrong);
      expect(lost.code).toBe(1);
      expect(lost.stderr).toMatch(/the session-manager knows nothing of 20 of 20 sessions: is SESSION_MANAGER_URL right\?/);
      const dead = await fleet.run(['restore', '--rate', '1000'], { ...env, SESSION_MANAGER_URL: `http://127.0.0.1:${await freePort()}` });
      expect(dead.code).toBe(3);
      expect(dead.stderr).toMatch(/says nothing about any of 20 sessions \(connection refused\)/);
      const key = await fleet.run(['restore'], { ...env, SESSION_MANAGER_API_KEY: 'wrong-key' });
      expect(key.code).toBe(3);
      expect(key.stderr).toMatch(/\(HTTP 401\)/);
      expect(key.stderr).not.toContain('wrong-key');
      expect(await store.count()).toMatchObject({ active: 0, sleeping: 0, waking: 0 });
      expect(await fleet.statusInLedger('there-00000')).toBe('sleeping');
    });

    it('an empty ledger is said', async () => {
      const { env } = fleet.unusedPrefix();
      const { code, stderr } = await fleet.run(['restore'], env);
      expect({ code, stderr }).toEqual({ code: 0, stderr: 'the ledger has no sessions: is DATABASE_URL right?\n' });
    });

    it('a dry run says the same and writes nothing', async () => {
      const { env, store } = fleet.unusedPrefix();
      await fleet.plant({
        ...manySessions(3, 'there', () => ({ status: 'active', replicas: 1 })),
        lost: { status: 'active', replicas: null },
      });
      const { code, stdout, stderr } = await fleet.run(['restore', '--dry-run'], env);
      expect(code).toBe(0);
      expect(stderr).toContain('a dry run, nothing is done');
      expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
        ['restored', '3'],
        ['active', '3'],
        ['skipped', '0'],
        ['deleted before', '0'],
        ['in Redis already', '0'],
        ['found gone', '1', 'lost'],
        ['status not read', '0'],
        [''],
      ]);
      expect(await store.count()).toMatchObject({ active: 0 });
      expect(await fleet.statusInLedger('lost')).toBe('active');
    });

    it('killed half-way, it goes on with --merge, and none is without alarms', async () => {
      const { env, store, prefix } = fleet.unusedPrefix();
      await fleet.plant(manySessions(60, 'there', (i) => ({ status: i % 2 ? 'active' : 'sleeping', replicas: i % 2 })));
      const killed = fleet.startCli(['restore', '--rate', '5'], env);
      await waitFor('some are restored', async () => Object.values(await store.count()).reduce((sum, count) => sum + count, 0) >= 10);
      killed.child.kill('SIGKILL');
      await killed.ended;
      const { code, restored, skipped } = await fleet.document<Restored>(['restore', '--merge', '--rate', '1000'], env);
      expect(code).toBe(0);
      expect(skipped.inRedis).toBeGreaterThanOrEqual(10);
      expect(skipped.inRedis).toBeLessThan(60);
      expect(restored.active! + restored.sleeping! + skipped.inRedis).toBe(60);
      expect(await store.count()).toMatchObject({ active: 30, sleeping: 30 });
      const alarms = fleet.alarms(prefix);
      const marked = new Set(await store.marked(0));
      for (let i = 0; i < 60; i++) {
        const { record } = await store.read(`there-${String(i).padStart(5, '0')}`);
        const { uuid, n } = record!;
        const rings = await alarms.rings({ name: 'delete', uuid, n });
        expect(rings !== null || marked.has(uuid)).toBe(true);
      }
      await alarms.close();
    });

    it('Ctrl-C ends it, with a sum', async () => {
      const { env } = fleet.unusedPrefix();
      await fleet.plant(manySessions(60, 'there', () => ({ status: 'active', replicas: 1 })));
      const run = fleet.startCli(['restore', '--rate', '5', '--json'], env);
      await waitFor(
        'it has begun',
        () => run.stderr().includes('restoring') || fleet.redis.keys(`*${env.KEY_PREFIX}*session:*`).then((k) => k.length > 0),
      );
      run.child.kill('SIGINT');
      const { code, stdout, stderr } = await run.ended;
      expect(code).toBe(130);
      expect(stderr).toContain('interrupted: use --merge to continue where it ended');
      expect((JSON.parse(stdout) as Restored).restored.active).toBeLessThan(60);
    });

    // Last, when the deadlines of the other tests are over.
    it('two thousand, at full speed', async () => {
      const { env, store } = fleet.unusedPrefix(4);
      await fleet.plant(manySessions(2_000, 'there', (i) => ({ status: i % 4 ? 'sleeping' : 'active', replicas: i % 4 ? 0 : 1 })));
      const { code, restored } = await fleet.document<Restored>(['restore', '--merge', '--rate', '100000'], env);
      expect({ code, restored }).toEqual({ code: 0, restored: { ...NONE, active: 500, sleeping: 1_500 } });
      expect(await store.count()).toMatchObject({ active: 500, sleeping: 1_500 });
    });
  });
});
