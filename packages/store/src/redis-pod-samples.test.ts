import { expect, it } from 'vitest';
import { RedisJournal } from './redis-journal.ts';
import { RedisPodSamples } from './redis-pod-samples.ts';
import { create, put, useRedis } from './store.fixture.ts';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

const on = useRedis();
const podSamples = () => new RedisPodSamples(on.redis, on.prefix);
const key = () => `{${on.prefix}:0}:trend`;

/** Writes a sample as if it had been taken at this minute since the epoch. */
function past(minute: number, awake: number) {
  return on.redis.xadd(key(), `${minute * MINUTE}-0`, 'awake', awake, 'asleep', 1, 'awakeMs', 2, 'alwaysOnMs', 3);
}

it('a sample says how many pods are awake and asleep, over all shards', async () => {
  const store = on.store(3);
  const born = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((uuid) => create(store, uuid)));
  for (const { record } of born.slice(0, 2)) await put(store, record, { wanted: 'asleep', pod: 'asleep', sleptAt: record.createdAt });
  const journal = new RedisJournal(on.redis, { prefix: on.prefix, shards: 3 });
  await podSamples().sample((await journal.usage()).values());
  const [sample] = await podSamples().since(DAY, 360);
  expect(sample).toMatchObject({ awake: 3, asleep: 2 });
  expect(sample!.at % MINUTE).toBe(0);
  expect(sample!.alwaysOnMs).toBeGreaterThanOrEqual(sample!.awakeMs);
});

it('however many workers sample, one a minute is kept', async () => {
  const minutes = new Set<number>();
  for (let i = 0; i < 10; i++) {
    const [seconds] = await on.redis.time();
    minutes.add(Math.floor(Number(seconds) / 60));
    await Promise.all(Array.from({ length: 5 }, () => podSamples().sample([])));
  }
  const { length } = await podSamples().since(DAY, 360);
  expect(length).toBeGreaterThan(0);
  expect(length).toBeLessThanOrEqual(minutes.size + 1);
});

it('a long time is shown by so many points, and by the same ones a minute later', async () => {
  const first = 29_000_000;
  for (let i = 0; i < 2_880; i++) await past(first + i, i);
  const points = await podSamples().since(2_880 * MINUTE, 360);
  expect(points.length).toBeGreaterThan(355);
  expect(points.length).toBeLessThanOrEqual(361);
  expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).toSorted((a, b) => a - b));
  expect(points.at(-1)!.at).toBe((first + 2_879) * MINUTE);
  await past(first + 2_880, 7);
  const later = await podSamples().since(2_880 * MINUTE, 360);
  expect(later.at(-1)!.at).toBe((first + 2_880) * MINUTE);
  expect(later.slice(0, 300).every(({ at }) => points.some((point) => point.at === at))).toBe(true);
});

it('an hour holds nothing older', async () => {
  for (let i = 0; i < 90; i++) await past(29_000_000 + i, i);
  expect(await podSamples().since(60 * MINUTE, 360)).toHaveLength(60);
});
