import { findDatabase, waitFor } from '@sandman/sandbox';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { LostFleet, manySessions } from '../recovery/lost-fleet.ts';

interface Audited {
  readonly asked: number;
  readonly unread: string[];
  readonly findings: {
    readonly uuid: string;
    readonly status: string;
    readonly fault: string;
    readonly keepUntil: string | null;
    readonly repair?: { done: boolean; text: string };
  }[];
}

const HOUR = 3_600_000;

const databases = await findDatabase('postgres');
let fleet: LostFleet;
beforeAll(async () => {
  fleet = await LostFleet.start(databases, { apis: 1, workers: 1 });
});
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await databases.stop();
});
afterEach(() => fleet.clear());

const KEPT = expect.stringMatching(/^it is kept until \d{4}-[^ ]+Z: left alone; /);
const faults = ({ findings }: Audited) => Object.fromEntries(findings.map(({ uuid, fault }) => [uuid, fault]));

it('what is leaked, gone, awake though asleep or asleep though awake is found, and repaired through Redis', async () => {
  const now = Date.now();
  const asleep = { status: 'sleeping', sleptAt: now - HOUR, lastActivity: now - 2 * HOUR } as const;
  await fleet.plant({
    ...manySessions(5, 'fine', () => ({ status: 'active', replicas: 1 })),
    dozing: { ...asleep, replicas: 0 },
    gone: { status: 'active', replicas: 1 },
    drowsy: { status: 'active', replicas: 1 },
    restless: { ...asleep, replicas: 0 },
  });
  const env = { ...fleet.env, SESSION_MANAGER_TIMEOUT: '500ms', LATE_EFFECT_BOUND: '500ms' };
  expect((await fleet.run(['restore', '--merge'], env)).code).toBe(0);
  await waitFor('it is in doubt no more', async () => (await fleet.store().read('restless')).record?.verifyAt === 0);
  await fleet.plant({
    leaked: { status: 'deleted', replicas: 1 },
    reborn: { status: 'deleted', replicas: 1 },
    departed: { status: 'deleted', replicas: null },
    ancient: { status: 'deleted', replicas: 1, updatedAt: now - 8 * 24 * HOUR },
    lagging: { status: 'active', replicas: null },
    unheard: { status: 'active', replicas: null },
  });
  // For these two, Redis is right and the ledger is not.
  await fleet.stack.call('PUT', '/v1/sessions/reborn', { userId: 'ada' });
  await fleet.stack.call('PUT', '/v1/sessions/lagging', { userId: 'ada' });
  // The session-manager does not know the pod of `lost` for a while. The record has the keep, and the ledger does not.
  await fleet.stack.call('PUT', '/v1/sessions/lost', { userId: 'ada' });
  expect((await fleet.stack.call('POST', '/v1/sessions/lost/keep', { for: '1h' })).status).toBe(200);
  await Promise.all(['lagging', 'lost'].map((uuid) => fleet.stack.until(uuid, 'deleted', 90_000)));
  await fleet.plant({ lost: { status: 'deleted', replicas: 1 } });
  // Changes that bypass Sandman.
  await fleet.stack.sim('DELETE', '/session/gone');
  await fleet.stack.sim('POST', '/session/restless/wake', {});
  await fleet.stack.sim('POST', '/session/drowsy/sleep', {});

  // Run both concurrently: neither changes anything, and each waits to see whether a fault lasts.
  const [{ code, stderr, ...audited }, unasked] = await Promise.all([
    fleet.document<Audited>(['audit', '--rate', '500']),
    fleet.run(['audit', '--repair', '--rate', '500']),
  ]);
  expect(faults(audited)).toEqual({
    drowsy: 'asleep though awake',
    gone: 'gone',
    leaked: 'leaked',
    lost: 'leaked',
    restless: 'awake though asleep',
    unheard: 'gone',
  });
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'sandman: 15 sessions looked at: 6 found wrong\n' });
  expect(audited.findings.every(({ repair }) => repair === undefined)).toBe(true);

  expect(unasked.code).toBe(2);
  expect(unasked.stdout).toMatch(
    /^UUID +USER +STATUS +FOUND\ndrowsy +ada +active +asleep though awake\ngone +ada +active +gone\nleaked +ada +deleted +leaked\nlost +ada +deleted +leaked\n/,
  );
  expect(unasked.stderr).toContain(
    'Repair 6, 1 of them by deleting a leaked pod and all data in it, for good? There is no terminal to ask: use --yes',
  );
  expect((await fleet.stack.calls('leaked', 'delete')).length).toBe(0);

  const mended = await fleet.document<Audited>(['audit', '--repair', '--yes', '--rate', '500']);
  expect(Object.fromEntries(mended.findings.map(({ uuid, repair }) => [uuid, repair]))).toEqual({
    drowsy: { done: true, text: 'a worker has seen to it: active' },
    gone: { done: true, text: 'a worker found it gone: it is deleted now' },
    leaked: { done: true, text: 'deleted at the session-manager' },
    lost: { done: false, text: KEPT },
    // Restored, and awake, because another caller had woken it.
    restless: { done: true, text: 'a worker has seen to it: active' },
    unheard: { done: true, text: 'the ledger has it as deleted now' },
  });
  expect(mended.code).toBe(1);
  expect(await fleet.stack.status('gone')).toBe('deleted');
  expect(await fleet.statusInLedger('unheard')).toBe('deleted');
  expect((await fleet.stack.calls('leaked', 'delete')).map(({ status }) => status)).toEqual([200]);
  expect((await fleet.stack.calls('ancient')).length + (await fleet.stack.calls('reborn', 'delete')).length).toBe(0);
  expect(await fleet.stack.calls('lost', 'delete')).toEqual([]);
  // The keep shows in no answer about the deleted session.
  const { body } = await fleet.stack.call<{ items: object[] }>('GET', '/v1/sessions?status=deleted');
  expect(body.items).toContainEqual(expect.objectContaining({ uuid: 'lost', keepUntil: null }));
}, 240_000);

it('deletes no pod of a session that is kept by the ledger, where Redis no longer knows it', async () => {
  const now = Date.now();
  const deleted = { status: 'deleted', replicas: 1 } as const;
  await fleet.plant({ kept: { ...deleted, keepUntil: now + HOUR }, over: { ...deleted, keepUntil: now - 1 } });

  const { code, findings } = await fleet.document<Audited>(['audit', '--repair', '--yes', '--rate', '500']);
  expect(Object.fromEntries(findings.map(({ uuid, keepUntil, repair }) => [uuid, [keepUntil !== null, repair]]))).toEqual({
    kept: [true, { done: false, text: KEPT }],
    over: [false, { done: true, text: 'deleted at the session-manager' }],
  });
  expect(code).toBe(1);
  const deletes = await Promise.all(['kept', 'over'].map((uuid) => fleet.stack.calls(uuid, 'delete')));
  expect(deletes.map(({ length }) => length)).toEqual([0, 1]);
});

it('where all is well it says so, and ends with 0', async () => {
  await fleet.plant(manySessions(3, 'fine', () => ({ status: 'active', replicas: 1 })));
  expect((await fleet.run(['restore', '--merge'])).code).toBe(0);
  expect(await fleet.run(['audit'])).toEqual({ code: 0, stdout: '', stderr: '3 sessions looked at: 0 found wrong\n' });
});

it('a wrong address is none of the pods’ faults, and an empty Redis is restored first', async () => {
  await fleet.plant(manySessions(25, 'fine', () => ({ status: 'active', replicas: 1 })));
  const wrong = { ...fleet.env, SESSION_MANAGER_URL: `${fleet.env.SESSION_MANAGER_URL}/nowhere` };
  const [{ code, stderr }, unrestored] = await Promise.all([
    fleet.run(['audit', '--rate', '500'], wrong),
    fleet.run(['audit', '--repair', '--yes']),
  ]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/the session-manager knows nothing of \d+ of \d+ sessions: is SESSION_MANAGER_URL right\?/);
  expect(unrestored).toMatchObject({
    code: 1,
    stderr: 'sandman: Redis is empty, and the ledger has 25 sessions: sandman restore first\n',
  });
});
