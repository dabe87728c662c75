import { type AppProcess, type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { logLinesOf } from '../process-log.ts';
import { TestStack } from '../stack.ts';

let found: FoundRedis;
let redis: Redis;
let stack: TestStack;

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url);
  stack = await new TestStack(found.url).start({ apis: 0, workers: 0 });
});
afterAll(async () => {
  await stack?.stop();
  redis?.disconnect();
  await found?.stop();
});

/** The environment of a process whose policy `house` deletes after this time. */
const house = (deleteAfter: string, version: number) => ({
  POLICIES: JSON.stringify({ house: { sleepAfter: '1h', deleteAfter } }),
  POLICIES_VERSION: `${version}`,
});
/** The warnings that a process has logged. */
const warnings = (app: AppProcess) =>
  logLinesOf(app)
    .filter(({ msg }) => msg === 'a change of POLICIES makes many sleeping sessions due within a day')
    .map(
      (line) => line as typeof line & { readonly time: number; readonly version: number; readonly due: number; readonly sleeping: number },
    );

it('workers warn once, and before, of new POLICIES that make more than a tenth of the sleeping sessions due within a day', async () => {
  const [, former] = await Promise.all([stack.addApi(undefined, house('30d', 1)), stack.addWorker(house('30d', 1))]);
  const names = [...Array<string>(5).fill('house'), ...Array<string>(3).fill('conservative')];
  const uuids = (await Promise.all(names.map((policy, i) => stack.create(`user-${i}`, policy)))).map(({ uuid }) => uuid);
  await stack.call('POST', `/v1/sessions/${uuids[0]}/keep`, { for: '7d' });
  await Promise.all(uuids.map((uuid) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
  await Promise.all(uuids.map((uuid) => stack.until(uuid, 'sleeping')));

  const newer = await stack.addWorker(house('2h', 2));
  await waitFor('a worker warns', () => [former, newer].some((worker) => warnings(worker).length > 0));
  const store = new RedisSessionStore(redis, { prefix: stack.prefix, shards: 1, slack: 1 });
  const records = async () => (await Promise.all(uuids.map((uuid) => store.read(uuid)))).map(({ record }) => record!);
  await waitFor(
    'the sweep has applied the change',
    async () => (await records()).every(({ policyAt }, i) => i >= 5 || policyAt > 0),
    60_000,
  );
  const first = [former, newer].flatMap(warnings).sort((a, b) => a.time - b.time)[0];
  expect(first).toMatchObject({ level: 40, version: 2, due: 4, sleeping: 8 });
  expect(first!.time).toBeLessThanOrEqual(
    Math.min(...(await records()).filter(({ policyAt }) => policyAt > 0).map(({ policyAt }) => policyAt)),
  );

  // Nothing is newly due under the next version, nor for a worker that starts later.
  const latest = await stack.addWorker(house('3h', 3));
  await waitFor('the others use it', () =>
    [former, newer].every((worker) => worker.stdout().includes('"version":3') && worker.stdout().includes('other policies are in use')),
  );
  expect(warnings(latest)).toEqual([]);
  // The other worker warns too, unless the first has applied the change before it counted.
  expect(Math.max(...[former, newer].map((worker) => warnings(worker).length))).toBe(1);
}, 180_000);
