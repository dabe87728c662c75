import { SandmanClient, type SandmanEvent, type Session } from '@sandman/client';
import { type FoundRedis, freePort, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY, TestStack } from './stack.ts';

const LONG = { sleepAfter: '1h', deleteAfter: '1h' };

let redis: FoundRedis;
let stack: TestStack;
let port: number;
let client: SandmanClient;
/** The calls that the client made, such as `GET /v1/sessions/{uuid}`, written as in the API's description. */
const asked = new Set<string>();

/** Calls the platform's fetch and records each call in `asked`. */
const watched: typeof fetch = async (input, init) => {
  const answer = await fetch(input, init);
  const { pathname } = new URL(String(input));
  const template = pathname.replace(/^\/v1\/sessions\/[^/]+/, '/v1/sessions/{uuid}').replace(/^\/v1\/users\/[^/]+/, '/v1/users/{userId}');
  asked.add(`${init?.method} ${template}`);
  return answer;
};

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url, { POLICIES: JSON.stringify({ long: LONG }) }).start({ apis: 0 });
  port = await freePort();
  await stack.addApi(port);
  client = new SandmanClient({ url: `http://127.0.0.1:${port}`, apiKey: API_KEY, fetch: watched });
});

afterAll(async () => {
  await client?.close();
  await stack?.stop();
  await redis?.stop();
});

const until = (uuid: string, status: string) =>
  waitFor(`${uuid} is ${status}`, async () => (await client.sessions.get(uuid)).status === status);

describe('sessions', () => {
  it('a life: made, asleep, woken, kept awake, deleted, and why', async () => {
    const { sessions } = client;
    const made = await sessions.create({ userId: 'ada', policy: 'long' }, { idempotencyKey: 'once' });
    const { uuid } = made;
    expect(made).toMatchObject({ userId: 'ada', status: 'active', policy: { name: 'long', ...LONG } });
    expect(await sessions.get(uuid)).toEqual(made);
    expect((await sessions.sleep(uuid)).status).toBe('falling-asleep');
    await until(uuid, 'sleeping');
    expect((await sessions.wake(uuid, { wait: '10s' })).status).toBe('active');
    expect((await sessions.wake(uuid)).status).toBe('active');
    const held = await sessions.hold(uuid, { for: '2h' });
    expect(held.holdUntil).toBe(held.sleepAt);
    const later = new Date(Date.now() + 3 * 3_600_000);
    expect((await sessions.hold(uuid, { until: later })).holdUntil).toBe(later.toISOString());
    expect((await sessions.endHold(uuid)).holdUntil).toBeNull();
    const kept = await sessions.keep(uuid, { for: '30d' });
    expect(kept.deleteAt).toBe(kept.keepUntil);
    expect(Date.parse(kept.keepUntil!) - Date.now()).toBeGreaterThan(29 * 86_400_000);
    expect((await sessions.keep(uuid, { until: later })).keepUntil).toBe(later.toISOString());
    await expect(sessions.delete(uuid)).rejects.toMatchObject({ status: 409, code: 'kept', detail: expect.stringContaining(uuid) });
    expect((await sessions.endKeep(uuid)).keepUntil).toBeNull();
    const changed = await sessions.setPolicy(uuid, { sleepAfter: '2h', deleteAfter: 'never' });
    expect(changed).toMatchObject({ policy: { name: 'custom', sleepAfter: '2h', deleteAfter: 'never' }, deleteAt: null });
    const at = new Date();
    expect((await sessions.activity(uuid, { at })).lastActivity).toBe(at.toISOString());
    expect((await sessions.activity(uuid, { kind: 'background' })).lastActivity).toBe(at.toISOString());
    expect((await sessions.history(uuid)).map(({ from, to, cause }) => `${from} ${to} ${cause}`)).toEqual([
      'waking active manual',
      'sleeping waking manual',
      'falling-asleep sleeping manual',
      'active falling-asleep manual',
      'null active created',
    ]);
    expect((await sessions.delete(uuid)).status).toBe('deleting');
    await waitFor('it is gone', async () =>
      sessions.get(uuid).then(
        () => false,
        ({ status, code }) => status === 410 && code === 'session-deleted',
      ),
    );
  });

  it('a delete with a grace sleeps first, and the user’s return cancels it', async () => {
    const { sessions } = client;
    const { uuid } = await sessions.create({ userId: 'ruth', policy: 'long' });
    const inAnHour = (time: string | null) => Math.abs(Date.parse(time!) - Date.now() - 3_600_000) < 60_000;
    const deleted = await sessions.delete(uuid, { grace: '1h' });
    expect([deleted.status, inAnHour(deleted.deleteAt)]).toEqual(['falling-asleep', true]);
    await until(uuid, 'sleeping');
    await sessions.activity(uuid);
    await until(uuid, 'active');
    expect(inAnHour((await sessions.get(uuid)).deleteAt)).toBe(false);
    const [loggedOut] = await client.logout('ruth', { grace: 3_600_000 });
    expect([loggedOut!.uuid, loggedOut!.status, inAnHour(loggedOut!.deleteAt)]).toEqual([uuid, 'falling-asleep', true]);
    await sessions.keep(uuid, { for: '1d' });
    expect((await sessions.delete(uuid, { force: true })).status).toBe('deleting');
  });

  it('a grace of more than 30 d, and force without a keep, are refused by name', async () => {
    const { sessions } = client;
    const { uuid } = await sessions.create({ userId: 'rita', policy: 'long' });
    const refused = (name: string) => ({ status: 400, code: 'invalid-request', detail: expect.stringContaining(name) });
    await expect(sessions.delete(uuid, { grace: '40d' })).rejects.toMatchObject(refused('grace'));
    await expect(client.logout('rita', { grace: '40d' })).rejects.toMatchObject(refused('grace'));
    await expect(sessions.delete(uuid, { force: true })).rejects.toMatchObject(refused('force'));
    expect((await sessions.get(uuid)).status).toBe('active');
  });

  it('a create that the session-manager refuses for now is repeated under the same key', async () => {
    await stack.fault({ call: 'create', times: 1, fault: { status: 503 } });
    const { uuid } = await client.sessions.create({ userId: 'patient' });
    const { items } = await stack.sim<{ items: { call: string; uuid: string; status: number; idempotencyKey: string }[] }>(
      'GET',
      '/sim/journal',
    );
    const [first, second] = items.filter(({ call }) => call === 'create').slice(-2);
    expect([first!.status, second!.status]).toEqual([503, 200]);
    expect(second).toMatchObject({ uuid, idempotencyKey: first!.idempotencyKey });
    await client.sessions.delete(uuid);
  });

  it('what somebody else made is adopted', async () => {
    await stack.sim('POST', '/sim/pods', { uuid: 'foundling', userId: 'grace', replicas: 1 });
    const fields = { userId: 'grace', workspaceUrl: 'https://pods.example/foundling', policy: LONG };
    expect(await client.sessions.adopt('foundling', fields)).toMatchObject({ ...fields, uuid: 'foundling', policy: { name: 'custom' } });
    const refused = client.sessions.adopt('foundling', { userId: 'eve' });
    await expect(refused).rejects.toMatchObject({ name: 'SandmanError', status: 409, code: 'conflict' });
  });

  it('all of a user’s, page by page, and all gone at logout', async () => {
    const mine = await Promise.all([1, 2, 3].map(() => client.sessions.create({ userId: 'lin & co' })));
    const uuids = new Set(mine.map(({ uuid }) => uuid));
    const first = await client.sessions.list({ userId: 'lin & co', limit: 2 });
    const second = await client.sessions.list({ userId: 'lin & co', limit: 2, cursor: first.nextCursor! });
    expect(new Set([...first.items, ...second.items].map(({ uuid }) => uuid))).toEqual(uuids);
    const all: Session[] = [];
    for await (const session of client.sessions.all({ userId: 'lin & co', status: 'active' })) all.push(session);
    expect(new Set(all.map(({ uuid }) => uuid))).toEqual(uuids);
    expect(new Set((await client.logout('lin & co')).map(({ uuid, status }) => `${uuid} ${status}`))).toEqual(
      new Set([...uuids].map((uuid) => `${uuid} deleting`)),
    );
  });
});

it('policies and savings', async () => {
  const { default: standard, items } = await client.policies();
  expect(standard).toBe('balanced');
  expect(items.map(({ name }) => name)).toContain('long');
  expect((await client.savings()).byPolicy).toHaveProperty('long');
});

describe('activity', () => {
  it('wakes, and what is refused is reported', async () => {
    const refused: string[] = [];
    const { uuid } = await client.sessions.create({ userId: 'ada' });
    const other = await client.sessions.create({ userId: 'bob' });
    for (const asleep of [uuid, other.uuid]) {
      await client.sessions.sleep(asleep);
      await until(asleep, 'sleeping');
    }
    await using backend = new SandmanClient({
      url: `http://127.0.0.1:${port}`,
      apiKey: API_KEY,
      fetch: watched,
      onDrop: ({ reason, events }) => refused.push(`${events?.[0]?.uuid} ${reason}`),
    });
    backend.activity(uuid);
    backend.activity('stranger');
    backend.userActivity('bob');
    await backend.flush();
    await Promise.all([until(uuid, 'active'), until(other.uuid, 'active')]);
    expect(refused).toEqual(['stranger session-not-found']);
    expect(backend.stats()).toEqual({ buffered: 0, sent: 2, dropped: 1 });
  });

  it('a wrong key is told, and not tried for ever', async () => {
    const refused: string[] = [];
    await using backend = new SandmanClient({
      url: `http://127.0.0.1:${port}`,
      apiKey: 'not-the-key',
      onDrop: ({ reason }) => refused.push(reason),
    });
    backend.activity('any');
    await backend.flush();
    expect(refused).toEqual(['unauthorized']);
    await expect(backend.policies()).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(backend.events().next()).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
  });
});

it('a chat wakes the pod and streams its answer', async () => {
  const { uuid } = await client.sessions.create({ userId: 'ada' });
  await client.sessions.sleep(uuid);
  await until(uuid, 'sleeping');
  const answer = await client.chat(uuid, { stream: { chunks: 4, intervalMs: 200 } });
  const arrived: number[] = [];
  for await (const _ of answer.body!) arrived.push(performance.now());
  expect(arrived.length).toBeGreaterThan(1);
  expect(arrived.at(-1)! - arrived[0]!).toBeGreaterThan(300);
  expect((await stack.calls(uuid, 'sleep', 'wake', 'chat')).map(({ call }) => call)).toEqual(['sleep', 'wake', 'chat']);
  await client.sessions.delete(uuid);
  await expect(client.chat(uuid, 'hello')).rejects.toMatchObject({ status: 410, code: 'session-deleted' });
});

it('events: each once and in order, over an API that is killed and comes back, even before the first one', async () => {
  const { uuid } = await client.sessions.create({ userId: 'watched', policy: 'long' });
  const end = new AbortController();
  const quick: SandmanEvent[] = [];
  const early: SandmanEvent[] = [];
  const follow = async (seen: SandmanEvent[], after?: string) => {
    for await (const event of client.events({ signal: end.signal, after }))
      if (event.type === 'reset' || event.uuid === uuid) seen.push(event);
  };
  const following = [follow(quick)];
  await waitFor('it listens', () => asked.has('GET /v1/events'));
  // The first break hits a connection that has not received an event yet.
  await killApi();
  await stack.addApi(port);
  await client.sessions.sleep(uuid);
  await until(uuid, 'sleeping');
  await client.sessions.wake(uuid, { wait: '10s' });
  await killApi();
  await stack.addApi(port);
  await client.sessions.sleep(uuid);
  await until(uuid, 'sleeping');
  await waitFor('it heard of all', () => quick.length >= 6);
  following.push(follow(early, quick[1]!.id));
  await waitFor('the other heard of what came after', () => early.length >= 4);
  end.abort();
  await Promise.all(following);
  const said = quick.map((event) => (event.type === 'status' ? `${event.from} ${event.to}` : event.type));
  expect(said).toEqual([
    'active falling-asleep',
    'falling-asleep sleeping',
    'sleeping waking',
    'waking active',
    'active falling-asleep',
    'falling-asleep sleeping',
  ]);
  expect(early).toEqual(quick.slice(2));
});

it('the tests above reached all that the API describes, by the client alone, and nothing else', async () => {
  const { paths } = (await (await fetch(`http://127.0.0.1:${port}/openapi.json`)).json()) as { paths: Record<string, object> };
  const offered = Object.entries(paths).flatMap(([path, calls]) => Object.keys(calls).map((method) => `${method.toUpperCase()} ${path}`));
  // The client sends activity by user in batches.
  expect(offered.filter((call) => !asked.has(call))).toEqual(['POST /v1/users/{userId}/activity']);
  expect([...asked].filter((call) => !offered.includes(call))).toEqual([]);
});

/** Kills the API with kill -9. Its clients notice by the broken connection. */
async function killApi(): Promise<void> {
  const [api] = stack.apis.splice(0);
  stack.apiUrls.length = 0;
  api!.kill('SIGKILL');
  await api!.exited;
}
