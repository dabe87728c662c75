import { expect, it } from 'vitest';
import { RedisDryRun } from './redis-dry-run.ts';
import { RedisPolicies } from './redis-policies.ts';
import { RedisShadowPolicies } from './redis-shadow-policies.ts';
import { useRedis } from './store.fixture.ts';

const on = useRedis();
const announced = (version: number, text: string) => ({ version, text });

const inForce = (version: number, edition: number, text: string) => ({ version, edition, text });

it('a higher version replaces a lower one, for good', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const receive = async () => (await policies.agree(null, false, null, [])).policies;
  expect(await receive()).toBeNull();
  await policies.agree(announced(2, 'a'), false, null, []);
  // Versions compare as numbers: 9 is lower than 10.
  await policies.agree(announced(10, 'c'), false, null, []);
  expect((await policies.agree(announced(9, 'd'), true, null, [])).policies).toEqual(inForce(10, 1, 'c'));
  expect(await receive()).toEqual(inForce(10, 1, 'c'));
  const [key] = (await on.redis.keys(`*${on.prefix}*policies`)) as [string];
  expect(await on.redis.pttl(key)).toBe(-1);
});

it('of one version, a process that starts replaces the policies in force by its own, and replaced ones never come back', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const announce = async (text: string, replaces: boolean) => (await policies.agree(announced(0, text), replaces, null, [])).policies;
  expect(await announce('a', true)).toEqual(inForce(0, 1, 'a'));
  expect(await announce('b', false)).toEqual(inForce(0, 1, 'a'));
  expect(await announce('b', true)).toEqual(inForce(0, 2, 'b'));
  // A process with the former policies is restarted.
  expect(await announce('a', true)).toEqual(inForce(0, 2, 'b'));
  expect(await announce('b', true)).toEqual(inForce(0, 2, 'b'));
  await policies.agree(announced(1, 'c'), false, null, []);
  expect((await policies.agree(announced(1, 'a'), true, null, [])).policies).toEqual(inForce(1, 2, 'a'));
});

it('policies that Redis has lost come back from a process that received them, and older ones do not', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const remind = async (version: number, edition: number, text: string) =>
    (await policies.agree(null, false, inForce(version, edition, text), [])).policies;
  await policies.agree(announced(1, 'a'), true, null, []);
  expect(await remind(2, 1, 'b')).toEqual(inForce(2, 1, 'b'));
  expect(await remind(1, 1, 'a')).toEqual(inForce(2, 1, 'b'));
  expect(await remind(2, 2, 'c')).toEqual(inForce(2, 2, 'c'));
  expect(await remind(2, 1, 'b')).toEqual(inForce(2, 2, 'c'));
});

it('policies that release 0.1.0 wrote with an expiry stay', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  await policies.agree(announced(3, 'a'), true, null, ['quick']);
  const [key] = (await on.redis.keys(`*${on.prefix}*policies`)) as [string];
  await on.redis.del(key);
  await on.redis.hset(key, { version: 3, text: 'a' });
  await on.redis.pexpire(key, 30_000);
  expect(await policies.agree(null, false, null, [])).toEqual({ policies: inForce(3, 1, 'a'), shadows: ['quick'] });
  expect(await on.redis.pttl(key)).toBe(-1);
});

it('shadow totals of all processes are added up, by policy and side', async () => {
  const shadows = new RedisShadowPolicies(on.redis, on.prefix);
  const totals = (awake: number) => ({ awake, asleep: 1, gone: 0, sleeps: 2, wakes: 0, regrets: 0, deletes: 0, recreations: 1 });
  expect(await shadows.read()).toEqual(new Map());
  await shadows.add(new Map([['quick', { would: totals(5), was: totals(7) }]]));
  await shadows.add(new Map([['quick', { would: totals(10), was: totals(20) }]]));
  const twice = { asleep: 2, gone: 0, sleeps: 4, wakes: 0, regrets: 0, deletes: 0, recreations: 2 };
  expect(await shadows.read()).toEqual(new Map([['quick', { would: { awake: 15, ...twice }, was: { awake: 27, ...twice } }]]));
});

it('of the background signals that a shadow policy ignores, the time of the one before the first is kept', async () => {
  const shadows = new RedisShadowPolicies(on.redis, on.prefix);
  const time = { policy: 'quick', uuid: 'a', lastActivity: 5 };
  await shadows.noteIgnoredSignal(time, 7);
  await shadows.noteIgnoredSignal(time, 9);
  await shadows.noteIgnoredSignal({ ...time, lastActivity: 6 }, 0);
  expect(await shadows.lastCountedSignals([time, { ...time, lastActivity: 6 }, { ...time, policy: 'lazy' }])).toEqual([7, 0, null]);
  // The remembered signals are not among the totals.
  expect(await shadows.read()).toEqual(new Map());
});

it('a call of a session is new once for each deadline, and not when another worker comes late with an earlier one', async () => {
  const dryRun = new RedisDryRun(on.redis, { prefix: on.prefix, shards: 3 });
  const news = [];
  for (const [what, due] of [
    ['sleep', 1],
    ['sleep', 1],
    ['delete', 2],
    ['sleep', 1],
    ['delete', 2],
    ['sleep', 3],
    ['sleep', 1],
  ] as const) {
    news.push(await dryRun.isNew('a', what, due));
  }
  expect(news).toEqual([true, false, true, false, false, true, false]);
  expect(await dryRun.isNew('b', 'sleep', 3)).toBe(true);
});
