import { type FoundRedis, redisForTests, startApp, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from '../stack.ts';

let redis: FoundRedis;
let store: Redis;
const stacks: TestStack[] = [];

beforeAll(async () => {
  redis = await redisForTests();
  store = new Redis(redis.url);
});
afterAll(async () => {
  await Promise.all(stacks.map((stack) => stack.stop()));
  store?.disconnect();
  await redis?.stop();
});

interface Shown {
  readonly status: string;
  readonly policy: { readonly name: string; readonly sleepAfter: string; readonly deleteAfter: string };
  readonly lastActivity: string;
  readonly sleepAt: string;
  readonly deleteAt: string;
}
/** Creates a stack. Tests are concurrent, so each has processes of its own. */
function newStack(env?: Record<string, string>): TestStack {
  const stack = new TestStack(redis.url, env);
  stacks.push(stack);
  return stack;
}

const show = async (stack: TestStack, uuid: string) => (await stack.call<Shown>('GET', `/v1/sessions/${uuid}`)).body;
const offered = async (stack: TestStack) => (await stack.call<{ items: Shown['policy'][] }>('GET', '/v1/policies')).body.items;
const announcing = (house: unknown, version?: number) => ({
  POLICIES: JSON.stringify({ house }),
  ...(version === undefined ? {} : { POLICIES_VERSION: `${version}` }),
});

const LONG = { sleepAfter: '1h', deleteAfter: '2h' };
/**
 * Deletes after 38 s at the earliest, so that an API has started and a sweep has visited the session before. A shorter policy would
 * delete it without a sleep.
 */
const SHORT = { sleepAfter: '8s', deleteAfter: '30s' };
/** How late a deadline may be met on a busy machine, in ms. */
const LATE_MS = 10_000;

// The longest test first, because only few run at once.
describe.concurrent('a dry run', { timeout: 180_000 }, () => {
  it('says once a deadline what it would call, calls nothing and leaves the records as they are', async () => {
    const stack = await newStack().start({ workers: 0 });
    const workers = await Promise.all([stack.addWorker({ DRY_RUN: 'true' }), stack.addWorker({ DRY_RUN: 'true' })]);
    // Far enough apart: of two deadlines that are over a worker says the second alone.
    const policy = { sleepAfter: '1s', deleteAfter: '8s' };
    const { uuid } = await stack.create('ada', policy);
    const idle = await stack.create('bob', policy);
    const lines = (of: string) =>
      workers
        .flatMap((worker) => worker.stdout().split('\n'))
        .filter((line) => line.includes('would call') && line.includes(of))
        .map((line) => JSON.parse(line) as { time: number; action: string; cause: string })
        .sort((a, b) => a.time - b.time);
    const would = (of = uuid) => lines(of).map(({ action, cause }) => `${action} ${cause}`);
    await waitFor('it would sleep and be deleted', async () => would().length >= 2);
    expect(would()).toEqual(['sleep idle', 'delete delete-due']);
    const shown = await show(stack, uuid);
    expect(shown.status).toBe('active');
    const [sleep, remove] = lines(uuid).map(({ time }) => time);
    for (const late of [sleep! - Date.parse(shown.sleepAt), remove! - Date.parse(shown.deleteAt)]) {
      expect(late).toBeGreaterThanOrEqual(-50);
      expect(late).toBeLessThan(LATE_MS);
    }
    // Activity sets another deadline.
    await stack.ping(uuid);
    await waitFor('it would sleep again', async () => would().length >= 4);
    expect(would()).toEqual(['sleep idle', 'delete delete-due', 'sleep idle', 'delete delete-due']);
    await stack.call('POST', '/v1/users/ada/logout');
    await waitFor('it would be deleted at once', async () => would().length >= 5);
    expect(would().at(-1)).toBe('delete logout');
    expect((await show(stack, uuid)).status).toBe('deleting');
    expect(await stack.calls(uuid, 'sleep', 'wake', 'delete')).toEqual([]);
    await waitFor('the other would sleep and be deleted', () => would(idle.uuid).length >= 2);
    const counted = await Promise.all(
      workers.map(async ({ ops }) =>
        (await (await fetch(`${ops}/metrics`)).text()).matchAll(/^sandman_dry_run_calls_total{action="(\w+)"} (\d+)$/gm),
      ),
    );
    const sums = new Map<string, number>();
    for (const [, action, count] of counted.flatMap((found) => [...found])) sums.set(action!, (sums.get(action!) ?? 0) + Number(count));
    expect(would(idle.uuid)).toEqual(['sleep idle', 'delete delete-due']);
    expect(Object.fromEntries(sums)).toEqual({ sleep: 3, wake: 0, delete: 4 });
    // After the dry run, requested calls are made. Calls that were due are not, because its end counts as activity.
    for (const worker of workers) worker.kill('SIGTERM');
    await Promise.all(workers.map(({ exited }) => exited));
    const began = Date.now();
    await stack.addWorker();
    await stack.until(idle.uuid, 'deleted', 60_000);
    const [sleep1, delete1] = await stack.calls(idle.uuid, 'sleep', 'delete');
    expect([sleep1?.call, delete1?.call]).toEqual(['sleep', 'delete']);
    expect(sleep1!.at).toBeGreaterThan(began + 1_000);
    await stack.until(uuid, 'deleted', 60_000);
  });

  it('says what a delete with a grace would call, at its request and at its end', async () => {
    const stack = await newStack().start({ workers: 0 });
    const worker = await stack.addWorker({ DRY_RUN: 'true' });
    const { uuid } = await stack.create('ada');
    const asked = await stack.call('DELETE', `/v1/sessions/${uuid}?grace=10s`);
    expect(asked.status).toBe(202);
    const lines = () =>
      worker
        .stdout()
        .split('\n')
        .filter((line) => line.includes('would call') && line.includes(uuid))
        .map((line) => JSON.parse(line) as { time: number; action: string; cause: string });
    await waitFor('it would be deleted', async () => lines().length >= 2);
    expect(lines().map(({ action, cause }) => `${action} ${cause}`)).toEqual(['sleep manual', 'delete manual']);
    const late = lines()[1]!.time - Date.parse(asked.body.deleteAt!);
    expect(late).toBeGreaterThanOrEqual(-50);
    expect(late).toBeLessThan(LATE_MS);
    expect(await stack.calls(uuid, 'sleep', 'wake', 'delete')).toEqual([]);
  });

  it('reads the status of an adopted pod, which changes none', async () => {
    const stack = await newStack().start({ workers: 0 });
    const made = await stack.create('ada', { sleepAfter: '1s', deleteAfter: 'never' });
    await stack.call('DELETE', `/v1/sessions/${made.uuid}`);
    await stack.addWorker({ DRY_RUN: 'true' });
    const { uuid } = await stack.sim<{ uuid: string }>('POST', '/session/create', { user_id: 'bob' });
    await stack.call('PUT', `/v1/sessions/${uuid}`, { userId: 'bob', policy: { sleepAfter: '1s', deleteAfter: 'never' } });
    await waitFor('it would sleep', async () => stack.workers[0]!.stdout().includes('dry run: would call'));
    await waitFor('its status was read', async () => (await stack.calls(uuid, 'status')).length === 1);
    expect((await show(stack, uuid)).status).toBe('active');
    expect(await stack.calls(uuid, 'sleep', 'wake', 'delete')).toEqual([]);
  });
});

describe.concurrent('a change of POLICIES', { timeout: 180_000 }, () => {
  it('reaches a session that is not touched with the sweep, and then keeps its deadlines', async () => {
    const stack = await newStack().start({ apis: 0, workers: 0 });
    const [before] = await Promise.all([stack.addApi(undefined, announcing(LONG, 1)), stack.addWorker(announcing(LONG, 1))]);
    const { uuid } = await stack.create('ada', 'house');
    const other = await stack.create('bob', { sleepAfter: '1h', deleteAfter: '2h' });
    before.kill('SIGTERM');
    await before.exited;
    stack.apis.splice(0);
    stack.apiUrls.splice(0);
    await stack.addApi(undefined, announcing(SHORT, 2));
    // The worker has the older version and follows the newer one.
    await stack.until(uuid, 'sleeping', 60_000);
    const { sleptAt } = (await stack.call<{ sleptAt: string }>('GET', `/v1/sessions/${uuid}`)).body;
    expect((await show(stack, uuid)).policy).toMatchObject({ name: 'house', ...SHORT });
    await stack.until(uuid, 'deleted', 60_000);
    const [gone] = await stack.calls(uuid, 'delete');
    const late = (gone?.at ?? Number.NaN) - (Date.parse(sleptAt) + 30_000);
    expect(late).toBeGreaterThanOrEqual(-50);
    expect(late).toBeLessThan(LATE_MS);
    // A session with a policy of its own is not changed.
    expect((await show(stack, other.uuid)).policy).toMatchObject({ name: 'custom', ...LONG });
  });

  it('reaches a session with its next ping, also one that is longer', async () => {
    const stack = await newStack().start({ apis: 0, workers: 0 });
    await stack.addApi(undefined, announcing({ sleepAfter: '5m', deleteAfter: '10m' }, 1));
    const { uuid } = await stack.create('ada', 'house');
    await Promise.all([stack.addApi(undefined, announcing(LONG, 2)), stack.addWorker(announcing(LONG, 2))]);
    await waitFor(
      'both offer the new one',
      async () =>
        (await Promise.all([offered(stack), offered(stack)]))
          .flat()
          .filter(({ name, sleepAfter }) => name === 'house' && sleepAfter === '1h').length === 2,
    );
    await stack.ping(uuid);
    const shown = await show(stack, uuid);
    expect(shown.policy).toMatchObject({ name: 'house', ...LONG });
    expect(Date.parse(shown.sleepAt) - Date.parse(shown.lastActivity)).toBe(3_600_000);
    expect(await stack.calls(uuid, 'sleep')).toEqual([]);
  });

  it('is the higher version, also once its processes are gone, until a higher one is announced', async () => {
    const stack = await newStack().start({ apis: 0, workers: 0 });
    await Promise.all([
      stack.addApi(undefined, announcing({ sleepAfter: '20m', deleteAfter: '1h' }, 2)),
      stack.addApi(undefined, announcing({ sleepAfter: '10m', deleteAfter: '1h' }, 1)),
      // An API without `POLICIES` announces none and follows the others.
      stack.addApi(),
    ]);
    const offer = (sleepAfter: string) =>
      waitFor(`all offer ${sleepAfter}`, async () =>
        (await Promise.all(stack.apiUrls.map(() => offered(stack))))
          .map((items) => items.find(({ name }) => name === 'house')?.sleepAfter)
          .every((offers) => offers === sleepAfter),
      );
    await offer('20m');
    const lower = stack.apis[1]!;
    await waitFor('the lower one says that it is not used', () => lower.stdout().includes('POLICIES is not used'));
    const [first] = stack.apis;
    first!.kill('SIGKILL');
    await first!.exited;
    stack.apis.shift();
    stack.apiUrls.shift();
    // Simulates an emptied Redis or expired policies: a process that knows them announces them again.
    const key = `{${stack.prefix}:0}:policies`;
    await store.del(key);
    await waitFor('version 2 is announced again', async () => (await store.hget(key, 'version')) === '2');
    await offer('20m');
    expect(await store.pttl(key)).toBe(-1);
    await stack.addApi(undefined, announcing({ sleepAfter: '30m', deleteAfter: '1h' }, 3));
    await offer('30m');
  });

  it('is none where all APIs die: a worker without POLICIES leaves the policies that sessions have', async () => {
    const POLICIES = JSON.stringify({ aggressive: { sleepAfter: '1s', deleteAfter: '60d' } });
    const stack = await newStack().start({ apis: 0, workers: 0 });
    await Promise.all([stack.addApi(undefined, { POLICIES }), stack.addWorker()]);
    const { uuid } = await stack.create('ada', 'aggressive');
    await stack.until(uuid, 'sleeping');
    const before = await show(stack, uuid);
    expect(before.policy).toMatchObject({ name: 'aggressive', sleepAfter: '1s', deleteAfter: '60d' });
    for (const process of [...stack.apis, ...stack.workers]) process.kill('SIGKILL');
    await Promise.all([...stack.apis, ...stack.workers].map(({ exited }) => exited));
    stack.apis.splice(0);
    stack.apiUrls.splice(0);
    // No process is left that knows them.
    await store.del(`{${stack.prefix}:0}:policies`);
    await stack.addWorker();
    const swept = () => store.get(`{${stack.prefix}:0}:sweep:id`);
    const at = Number(await swept());
    await waitFor('it sweeps three times', async () => Number(await swept()) >= at + 4, 90_000);
    await stack.addApi();
    // The user could not ping during the time without an API, so the delete moves later by that time.
    expect(await show(stack, uuid)).toEqual({ ...before, deleteAt: expect.toSatisfy((at: string) => at >= before.deleteAt) });
    // The user's return does not give it the preset's values either.
    await stack.ping(uuid);
    // It is active for a second only.
    await waitFor('it is woken', async () => (await stack.calls(uuid, 'wake')).length > 0);
    expect((await show(stack, uuid)).policy).toEqual(before.policy);
    expect(await stack.calls(uuid, 'delete')).toEqual([]);
  });
});

describe.concurrent('shadow policies', { timeout: 120_000 }, () => {
  it('count what they would have done beside what was done, and act on nothing', async () => {
    const POLICIES = JSON.stringify({
      quick: { sleepAfter: '6s', deleteAfter: '1h' },
      hasty: { sleepAfter: '6s', deleteAfter: '8s' },
      lazy: { sleepAfter: '1h', deleteAfter: '2h' },
    });
    const stack = await newStack({ POLICIES }).start({ apis: 0, workers: 0 });
    const { ops } = await stack.addWorker({ SHADOW_POLICIES: 'quick,hasty' });
    await waitFor('the worker has named its shadow policies', async () => (await store.exists(`{${stack.prefix}:0}:shadows`)) === 1);
    // An API learns the shadow policies when it starts, and then once a second; it counts nothing before.
    await stack.addApi();
    type Spent = Record<
      'awakeSeconds' | 'asleepSeconds' | 'alwaysOnSeconds' | 'savedFraction' | 'sleeps' | 'wakes' | 'regrets' | 'deletes' | 'recreations',
      number
    >;
    const shadows = async () =>
      (await stack.call<{ shadows?: Record<string, Spent & { asIs: Spent }> }>('GET', '/v1/savings')).body.shadows;
    expect(await shadows()).toBeUndefined();
    const { uuid, lastActivity: created } = await stack.create('ada', 'lazy');
    const since = (at: string, ms: number) => waitFor(`${ms} ms after ${at}`, () => Date.now() >= Date.parse(at) + ms);
    // Both shadow policies would put it to sleep in this time; `hasty` would delete it in the next.
    await since(created, 6_200);
    const first = await stack.ping(uuid);
    await since(first.lastActivity, 14_500);
    const second = await stack.ping(uuid);
    await stack.ping(uuid);
    await stack.call('DELETE', `/v1/sessions/${uuid}`);
    const end = Date.now();
    await waitFor('all is counted', async () => ((await shadows())?.quick?.asIs.alwaysOnSeconds ?? 0) > 20);
    const { quick, hasty } = (await shadows())!;
    const from = (await stack.calls(uuid, 'create'))[0]!.at;
    const lived = (Date.parse(created) - from + end - Date.parse(second.lastActivity)) / 1_000;
    expect(quick).toMatchObject({ sleeps: 2, wakes: 2, regrets: 2, deletes: 0, recreations: 0 });
    expect(hasty).toMatchObject({ deletes: 1, recreations: 1, wakes: 1 });
    expect(quick!.asIs).toMatchObject({ sleeps: 0, regrets: 0, asleepSeconds: 0, savedFraction: 0 });
    // The session was created a moment after its pod, and deleted a moment after the last ping.
    expect(quick!.awakeSeconds).toBeGreaterThanOrEqual(12);
    expect(quick!.awakeSeconds - (12 + lived)).toBeLessThan(0.5);
    expect(quick!.asleepSeconds).toBeCloseTo(quick!.alwaysOnSeconds - quick!.awakeSeconds, 6);
    expect(quick!.alwaysOnSeconds).toBeCloseTo(quick!.asIs.awakeSeconds, 6);
    expect(await stack.calls(uuid, 'sleep', 'wake')).toEqual([]);
    const text = await (await fetch(`${ops}/metrics`)).text();
    expect(text).toContain(`sandman_shadow_regrets_total{policy="quick",side="would"} 2`);
    expect(text).toContain(`sandman_shadow_regrets_total{policy="quick",side="was"} 0`);
  });

  it('end a worker that was given a name which is no policy', async () => {
    const app = startApp('worker', {
      REDIS_URL: redis.url,
      KEY_PREFIX: newStack().prefix,
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'k',
      SHADOW_POLICIES: 'quick',
      METRICS_PORT: '0',
    });
    expect(await app.exited).toBe(2);
    expect(app.stderr().trim()).toBe('worker: SHADOW_POLICIES must name some of aggressive, balanced, conservative, simple');
  });
});
