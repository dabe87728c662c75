import { expect, it } from 'vitest';
import { RedisPolicies } from './redis-policies.ts';
import { RedisRehearsals } from './redis-rehearsals.ts';
import { RedisShadows } from './redis-shadows.ts';
import { useRedis } from './store.fixture.ts';

const on = useRedis();
const told = (version: number, text: string) => ({ version, text });

const inForce = (version: number, edition: number, text: string) => ({ version, edition, text });

it('a higher version replaces a lower one, for good', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const hear = async () => (await policies.agree(null, false, null, [])).policies;
  expect(await hear()).toBeNull();
  await policies.agree(told(2, 'a'), false, null, []);
  // Versions compare as numbers: 9 is lower than 10.
  await policies.agree(told(10, 'c'), false, null, []);
  expect((await policies.agree(told(9, 'd'), true, null, [])).policies).toEqual(inForce(10, 1, 'c'));
  expect(await hear()).toEqual(inForce(10, 1, 'c'));
  const [key] = (await on.redis.keys(`*${on.prefix}*policies`)) as [string];
  expect(await on.redis.pttl(key)).toBe(-1);
});

it('of one version, others replace those in force when a process that starts claims it, and never come back', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const say = async (text: string, claim: boolean) => (await policies.agree(told(0, text), claim, null, [])).policies;
  expect(await say('a', true)).toEqual(inForce(0, 1, 'a'));
  expect(await say('b', false)).toEqual(inForce(0, 1, 'a'));
  expect(await say('b', true)).toEqual(inForce(0, 2, 'b'));
  // A process with the former policies is restarted.
  expect(await say('a', true)).toEqual(inForce(0, 2, 'b'));
  expect(await say('b', true)).toEqual(inForce(0, 2, 'b'));
  await policies.agree(told(1, 'c'), false, null, []);
  expect((await policies.agree(told(1, 'a'), true, null, [])).policies).toEqual(inForce(1, 2, 'a'));
});

it('what Redis has forgotten it is told again by whoever heard it, and nothing older', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const remind = async (version: number, edition: number, text: string) =>
    (await policies.agree(null, false, inForce(version, edition, text), [])).policies;
  await policies.agree(told(1, 'a'), true, null, []);
  expect(await remind(2, 1, 'b')).toEqual(inForce(2, 1, 'b'));
  expect(await remind(1, 1, 'a')).toEqual(inForce(2, 1, 'b'));
  expect(await remind(2, 2, 'c')).toEqual(inForce(2, 2, 'c'));
  expect(await remind(2, 1, 'b')).toEqual(inForce(2, 2, 'c'));
});

it('what release 0.1.0 left to expire stays', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  await policies.agree(told(3, 'a'), true, null, ['quick']);
  const [key] = (await on.redis.keys(`*${on.prefix}*policies`)) as [string];
  await on.redis.del(key);
  await on.redis.hset(key, { version: 3, text: 'a' });
  await on.redis.pexpire(key, 30_000);
  expect(await policies.agree(null, false, null, [])).toEqual({ policies: inForce(3, 1, 'a'), shadows: ['quick'] });
  expect(await on.redis.pttl(key)).toBe(-1);
});

it('the sums of all processes come together, by policy and side', async () => {
  const shadows = new RedisShadows(on.redis, on.prefix);
  const spell = (awake: number) => ({ awake, asleep: 1, gone: 0, sleeps: 2, wakes: 0, regrets: 0, deletes: 0, recreations: 1 });
  expect(await shadows.read()).toEqual(new Map());
  await shadows.add(new Map([['quick', { would: spell(5), was: spell(7) }]]));
  await shadows.add(new Map([['quick', { would: spell(10), was: spell(20) }]]));
  const twice = { asleep: 2, gone: 0, sleeps: 4, wakes: 0, regrets: 0, deletes: 0, recreations: 2 };
  expect(await shadows.read()).toEqual(new Map([['quick', { would: { awake: 15, ...twice }, was: { awake: 27, ...twice } }]]));
});

it('of background signals that a shadow does not hear, the one before the first is known', async () => {
  const shadows = new RedisShadows(on.redis, on.prefix);
  const time = { policy: 'quick', uuid: 'a', lastActivity: 5 };
  await shadows.deaf(time, 7);
  await shadows.deaf(time, 9);
  await shadows.deaf({ ...time, lastActivity: 6 }, 0);
  expect(await shadows.heard([time, { ...time, lastActivity: 6 }, { ...time, policy: 'lazy' }])).toEqual([7, 0, null]);
  // The remembered signals are not among the totals.
  expect(await shadows.read()).toEqual(new Map());
});

it('a call of a session is new once for each deadline, and not when another worker comes late with an earlier one', async () => {
  const rehearsals = new RedisRehearsals(on.redis, { prefix: on.prefix, shards: 3 });
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
    news.push(await rehearsals.isNew('a', what, due));
  }
  expect(news).toEqual([true, false, true, false, false, true, false]);
  expect(await rehearsals.isNew('b', 'sleep', 3)).toBe(true);
});
