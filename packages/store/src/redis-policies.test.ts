import { expect, it } from 'vitest';
import { RedisPolicies } from './redis-policies.ts';
import { RedisRehearsals } from './redis-rehearsals.ts';
import { RedisShadows } from './redis-shadows.ts';
import { useRedis } from './store.fixture.ts';

const on = useRedis();
const told = (version: number, text: string) => ({ version, text });

it('the highest version holds, and of one version what was said by whoever came last', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  const hear = async () => (await policies.agree(null, false, [])).policies;
  expect(await hear()).toBeNull();
  await policies.agree(told(0, 'a'), true, []);
  // Says it again, and did not come last.
  await policies.agree(told(0, 'b'), false, []);
  expect(await hear()).toEqual(told(0, 'a'));
  await policies.agree(told(0, 'b'), true, []);
  expect(await hear()).toEqual(told(0, 'b'));
  await policies.agree(told(10, 'c'), false, []);
  // As numbers: 9 is lower.
  expect((await policies.agree(told(9, 'd'), true, [])).policies).toEqual(told(10, 'c'));
  expect(await hear()).toEqual(told(10, 'c'));
});

it('what nobody says again is forgotten after half a minute, and only who says the same keeps it', async () => {
  const policies = new RedisPolicies(on.redis, on.prefix);
  await policies.agree(told(2, 'a'), true, ['quick']);
  const [key] = (await on.redis.keys(`*${on.prefix}*policies`)) as [string];
  await on.redis.pexpire(key, 1_000);
  await policies.agree(told(1, 'b'), true, []);
  expect(await on.redis.pttl(key)).toBeLessThanOrEqual(1_000);
  const heard = await policies.agree(told(2, 'a'), false, []);
  expect(heard).toEqual({ policies: told(2, 'a'), shadows: ['quick'] });
  expect(await on.redis.pttl(key)).toBeGreaterThan(20_000);
  expect(await on.redis.pttl(key)).toBeLessThanOrEqual(30_000);
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
  // Not a book.
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
