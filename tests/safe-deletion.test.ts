import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SessionBody, TestStack } from './stack.ts';

const LONG = { sleepAfter: '1h', deleteAfter: '7d' };
/** How late a delete may be carried out, in ms; docs/reliability.md gives 0.4 s. */
const PUNCTUAL_MS = 2_000;

interface Session extends SessionBody {
  readonly holdUntil: string | null;
  readonly keepUntil: string | null;
  readonly code?: string;
  readonly detail?: string;
}

let found: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  found = await redisForTests();
  stack = await new TestStack(found.url).start({ apis: 2, workers: 2 });
});
afterAll(async () => {
  await stack?.stop();
  await found?.stop();
});

const call = (method: string, path: string, body?: unknown) => stack.call<Session>(method, `/v1/sessions/${path}`, body);
const deletesOf = (uuid: string) => stack.calls(uuid, 'delete');
async function causesOf(uuid: string): Promise<string[]> {
  const { body } = await stack.call<{ items: { to: string; cause: string }[] }>('GET', `/v1/sessions/${uuid}/history`);
  return body.items.map(({ to, cause }) => `${to} ${cause}`);
}

/** Waits until the pod was deleted. @returns how long after `due` (ISO 8601) the delete reached the session-manager, in ms */
async function lateness(uuid: string, due: string): Promise<number> {
  const deleted = await waitFor('the delete', async () => (await deletesOf(uuid))[0]);
  return deleted.at - Date.parse(due);
}

describe('a delete with a grace', () => {
  it('puts the pod to sleep now, ends its hold, and deletes it at deleteAt, once', async () => {
    const { uuid } = await stack.create('leaver', LONG);
    await call('POST', `${uuid}/hold`, { for: '1h' });
    const asked = Date.now();
    const { status, body } = await call('DELETE', `${uuid}?grace=1500ms`);
    expect([status, body.status, body.holdUntil]).toEqual([202, 'falling-asleep', null]);
    expect(Date.parse(body.deleteAt!) - asked).toBeGreaterThanOrEqual(1_500);
    const late = await lateness(uuid, body.deleteAt!);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(PUNCTUAL_MS);
    await stack.until(uuid, 'deleted');
    expect((await stack.calls(uuid, 'sleep', 'wake', 'delete')).map(({ call }) => call)).toEqual(['sleep', 'delete']);
  });

  it('by a logout: cause logout; the user who comes back keeps the pod, and the session is as before', async () => {
    const { uuid } = await stack.create('returner', LONG);
    const { status, body } = await stack.call<{ items: Session[] }>('POST', '/v1/users/returner/logout', { grace: '3s' });
    expect([status, body.items.length]).toEqual([202, 1]);
    await stack.until(uuid, 'sleeping');
    expect((await stack.ping(uuid)).status).toBe('waking');
    await stack.until(uuid, 'active');
    const { deleteAt, sleepAt } = (await call('GET', uuid)).body;
    expect(Date.parse(deleteAt!) - Date.parse(sleepAt!)).toBe(7 * 86_400_000);
    expect(await causesOf(uuid)).toContain('falling-asleep logout');
  });

  it('is replaced by a later delete, with another grace or with none', async () => {
    const { uuid } = await stack.create('impatient', LONG);
    const first = (await call('DELETE', `${uuid}?grace=10d`)).body.deleteAt!;
    const second = (await call('DELETE', `${uuid}?grace=1d`)).body.deleteAt!;
    expect(Math.round((Date.parse(first) - Date.parse(second)) / 86_400_000)).toBe(9);
    expect((await call('DELETE', uuid)).body.status).toBe('deleting');
    expect((await call('DELETE', `${uuid}?grace=1d`)).status).toBeOneOf([202, 410]);
    await stack.until(uuid, 'deleted');
  });

  it('at its very end: a ping that is acknowledged keeps the pod, and one that is refused was too late', async () => {
    let round = 0;
    /** Pings 40 sessions at times from `spreadMs` / 4 before the end of their grace to `spreadMs` * 3 / 4 after it. */
    const race = async (spreadMs: number) => {
      const sessions = await Promise.all(Array.from({ length: 40 }, (_, i) => stack.create(`racer-${round}-${i}`, LONG)));
      round += 1;
      return Promise.all(
        sessions.map(async ({ uuid }, i) => {
          const { deleteAt } = (await call('DELETE', `${uuid}?grace=${2_000 + spreadMs}ms`)).body;
          const due = Date.parse(deleteAt!);
          await new Promise((resolve) => setTimeout(resolve, due - Date.now() + (i / 40 - 0.25) * spreadMs));
          const { status } = await call('POST', `${uuid}/activity`);
          return { uuid, status, due };
        }),
      );
    };
    const outcomes: Awaited<ReturnType<typeof race>> = [];
    const of = (wanted: number) => outcomes.filter(({ status }) => status === wanted);
    // On a busy machine a delete may be later than the last ping. The wider the spread, the more surely both sides occur.
    for (let spreadMs = 560; of(202).length === 0 || of(410).length === 0; spreadMs *= 2) outcomes.push(...(await race(spreadMs)));
    const [kept, lost] = [of(202), of(410)];
    expect(kept.length + lost.length).toBe(outcomes.length);
    for (const { uuid } of lost) await stack.until(uuid, 'deleted');
    for (const { uuid } of kept) await stack.until(uuid, 'active');
    for (const { uuid } of kept) expect(await deletesOf(uuid), uuid).toEqual([]);
    for (const { uuid, due } of lost) for (const { at } of await deletesOf(uuid)) expect(at).toBeGreaterThanOrEqual(due);
  });

  it('is carried out though the worker is killed before its end', async () => {
    const { uuid } = await stack.create('unlucky', LONG);
    const { deleteAt } = (await call('DELETE', `${uuid}?grace=2s`)).body;
    await stack.until(uuid, 'sleeping');
    stack.workers[0]!.kill('SIGKILL');
    const late = await lateness(uuid, deleteAt!);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(15_000);
    await stack.addWorker();
  });
});

describe('a kept session', () => {
  it('is not deleted: by hand 409, by a logout only put to sleep; with force it is', async () => {
    const { uuid } = await stack.create('keeper', LONG);
    const { body } = await call('POST', `${uuid}/keep`, { for: '30d' });
    expect(Math.round((Date.parse(body.keepUntil!) - Date.now()) / 86_400_000)).toBe(30);
    expect(body.deleteAt! >= body.keepUntil!).toBe(true);
    for (const query of ['', '?grace=1h', '?force=false']) {
      const { status, body: problem } = await call('DELETE', uuid + query);
      expect([status, problem.code], query).toEqual([409, 'kept']);
    }
    expect((await stack.call<{ items: Session[] }>('POST', '/v1/users/keeper/logout')).body.items[0]).toMatchObject({
      keepUntil: body.keepUntil,
    });
    await stack.until(uuid, 'sleeping');
    await stack.ping(uuid);
    await stack.until(uuid, 'active');
    expect(await deletesOf(uuid)).toEqual([]);
    expect((await call('DELETE', `${uuid}?force=true`)).body).toMatchObject({ status: 'deleting', keepUntil: null });
    await stack.until(uuid, 'deleted');
  });

  it('outlives its policy, and the delete that is due happens at once when the keep ends', async () => {
    // It is put to sleep only when it is kept: on a busy machine an idle delete could come before the keep.
    const { uuid } = await stack.create('pinned', { sleepAfter: '1h', deleteAfter: '300ms' });
    await call('POST', `${uuid}/keep`, { until: new Date(Date.now() + 3_600_000).toISOString() });
    await call('POST', `${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await stack.status(uuid)).toBe('sleeping');
    const ended = new Date().toISOString();
    expect((await call('DELETE', `${uuid}/keep`)).body.keepUntil).toBeNull();
    expect(await lateness(uuid, ended)).toBeLessThan(PUNCTUAL_MS);
    await stack.until(uuid, 'deleted');
    expect((await call('POST', `${uuid}/keep`, { for: '1h' })).status).toBe(410);
  });

  it('is deleted by itself when the keep ends, no earlier', async () => {
    const { uuid } = await stack.create('briefly', { sleepAfter: '1h', deleteAfter: '100ms' });
    await call('POST', `${uuid}/keep`, { for: '1h' });
    await call('POST', `${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    const { keepUntil } = (await call('POST', `${uuid}/keep`, { for: '2s' })).body;
    const late = await lateness(uuid, keepUntil!);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(PUNCTUAL_MS);
  });
});

it('a shorter policy deletes no sleeping session at once: deleteAt shows the time that it leaves', async () => {
  const { uuid } = await stack.create('shortened', LONG);
  await call('POST', `${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  const { body } = await call('PATCH', uuid, { policy: { sleepAfter: '1ms', deleteAfter: '1ms' } });
  // `DELETE_WARNING` is 2 h by default.
  expect(Math.round((Date.parse(body.deleteAt!) - Date.now()) / 60_000)).toBe(120);
});

it.each([
  ['DELETE', '?grace=40d', undefined, 'grace must be a duration such as 500ms, 90s, 15m, 24h or 7d, from 1ms to 30d'],
  ['DELETE', '?grace=0', undefined, 'grace must be'],
  ['DELETE', '?grace=soon', undefined, 'grace must be'],
  ['DELETE', '?grace=', undefined, 'grace must be'],
  ['DELETE', '?force=perhaps', undefined, 'force: must be boolean'],
  ['DELETE', '?force=true', undefined, 'force is only for a session that is kept'],
  ['DELETE', '?graze=1h', undefined, 'graze: '],
  ['POST', '/keep', {}, 'for or until must be given, and not both'],
  ['POST', '/keep', { for: '1h', until: '2030-01-01T00:00:00Z' }, 'for or until must be given, and not both'],
  ['POST', '/keep', { for: '3651d' }, 'for must be a duration'],
  ['POST', '/keep', { until: '2020-01-01T00:00:00Z' }, 'until must end in the future and at most 3650d ahead'],
  ['POST', '/keep', { until: '2200-01-01T00:00:00Z' }, 'until must end in the future and at most 3650d ahead'],
  ['POST', '/keep', { until: '2030-01-01T00:00:00' }, 'until must be an ISO 8601 time with its zone'],
])('%s %s %j is refused by name, and changes nothing', async (method, path, body, detail) => {
  const { uuid } = await stack.create('careless', LONG);
  const before = (await call('GET', uuid)).body;
  const answer = await call(method, uuid + path, body);
  expect([answer.status, answer.body.code]).toEqual([400, 'invalid-request']);
  expect(answer.body.detail).toContain(detail);
  expect((await call('GET', uuid)).body).toEqual(before);
});

it('a logout with a wrong grace is refused by name, also for a user without sessions', async () => {
  const { uuid } = await stack.create('cautious', LONG);
  for (const user of ['cautious', 'unknown']) {
    const { status, body } = await stack.call<Session>('POST', `/v1/users/${user}/logout`, { grace: '40d' });
    expect([status, body.detail]).toEqual([400, expect.stringContaining('grace must be')]);
  }
  expect(await stack.status(uuid)).toBe('active');
});
