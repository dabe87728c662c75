import { waitFor } from '@sandman/sandbox';
import { expect, it } from 'vitest';
import { RedisWorkerRegistry, type WorkerState } from './redis-worker-registry.ts';
import { useRedis } from './store.fixture.ts';

const on = useRedis();
const registry = () => new RedisWorkerRegistry(on.redis, on.prefix);

function worker(id: string, more: Partial<WorkerState> = {}): WorkerState {
  return { id, host: 'node-1', pid: 7, upFor: 0, trouble: null, troubleFor: 0, sweptAgo: null, clockAhead: 0, ...more };
}

it('knows the workers that have reported, the longest up first, and how long ago each did', async () => {
  await registry().report(worker('young', { upFor: 1_000 }));
  await registry().report(worker('old', { upFor: 600_000, trouble: 'failing', troubleFor: 3_000, sweptAgo: 40 }));
  const seen = await waitFor('time passes', async () => {
    const all = await registry().workers();
    return all.every(({ seenAgo }) => seenAgo > 0) ? all : null;
  });
  expect(seen.map(({ id }) => id)).toEqual(['old', 'young']);
  expect(seen[0]).toMatchObject({ trouble: 'failing', troubleFor: 3_000, sweptAgo: 40 });
  await registry().report(worker('old', { upFor: 602_000 }));
  expect((await registry().workers())[0]).toMatchObject({ trouble: null, upFor: 602_000 });
});

it('forgets a worker that signed off at once, and one that died after an hour', async () => {
  for (const id of ['dead', 'gone', 'alive']) await registry().report(worker(id));
  await registry().signOff('gone');
  expect((await registry().workers()).map(({ id }) => id).sort()).toEqual(['alive', 'dead']);
  // Makes its last report an hour and a second old.
  const key = `{${on.prefix}:0}:workers`;
  const stale = (await on.redis.hget(key, 'dead'))!.replace(/^\d+/, (at) => `${Number(at) - 3_601_000}`);
  await on.redis.hset(key, 'dead', stale);
  await registry().report(worker('alive'));
  expect((await registry().workers()).map(({ id }) => id)).toEqual(['alive']);
});

it('keeps the last hundred repairs, newest first', async () => {
  for (let i = 0; i < 102; i++) await registry().repaired('missing', `s${i}`);
  await registry().repaired('unarmed', '', 3);
  const repairs = await registry().repairs();
  expect(repairs).toHaveLength(100);
  expect(repairs[0]).toMatchObject({ kind: 'unarmed', uuid: '', count: 3 });
  expect(repairs[1]).toMatchObject({ kind: 'missing', uuid: 's101', count: 1 });
  const [seconds] = await on.redis.time();
  expect(Math.abs(repairs[0]!.at - Number(seconds) * 1_000)).toBeLessThan(10_000);
});
