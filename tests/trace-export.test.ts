import { setTimeout as wait } from 'node:timers/promises';
import { type FoundRedis, redisForTests } from '@sandman/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sandman } from '../packages/cli/src/cli.fixture.ts';
import { TestStack } from './stack.ts';

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
});
afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

const line = (uuid: string, at: string, more = {}) => ({ uuid, at, ...more });

/** What a policy makes of a trace, until the same instant for all. */
async function simulated(lines: readonly object[], until: string) {
  const trace = lines.map((one) => `${JSON.stringify(one)}\n`).join('');
  const policy = JSON.stringify({ sleepAfter: '2500ms', deleteAfter: 'never' });
  const { stdout } = await sandman(['simulate', '-', '--policy', policy, '--until', until, '--json'], {}, trace);
  const [result] = JSON.parse(stdout).policies as [Record<'awakeSeconds' | 'asleepSeconds' | 'sleeps' | 'wakes' | 'deletes', number>];
  const { awakeSeconds, asleepSeconds, sleeps, wakes, deletes } = result;
  return { awakeSeconds, asleepSeconds, sleeps, wakes, deletes };
}

it('a running Sandman tells of its users what a longer policy needs to know', async () => {
  const policy = { sleepAfter: '2s', deleteAfter: 'never' };
  const { uuid, lastActivity } = await stack.create('ada', policy);
  const other = await stack.create('bob', policy);
  const visits = [line(uuid, lastActivity), line(other.uuid, other.lastActivity)];
  const ping = async (of: string) => visits.push(line(of, (await stack.ping(of)).lastActivity));
  for (let i = 0; i < 4; i++) {
    await wait(700);
    await ping(uuid);
  }
  await stack.until(uuid, 'sleeping');
  await ping(uuid);
  await stack.until(uuid, 'active');
  await ping(uuid);
  await stack.call('POST', '/v1/users/ada/logout');
  await stack.until(uuid, 'deleted');

  const env = { REDIS_URL: redis.url, KEY_PREFIX: stack.prefix };
  const { code, stdout, stderr } = await sandman(['trace', 'export'], env);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as { uuid: string; at: string; event?: string; inferred?: boolean });
  const inferred = lines.filter((one) => one.inferred).length;
  expect({ code, stderr }).toEqual({ code: 0, stderr: `2 sessions of Redis, ${lines.length} lines, ${inferred} of them inferred\n` });
  const logout = lines.find(({ event }) => event === 'logout')!;
  expect(logout.uuid).toBe(uuid);
  const known = lines.filter((one) => !one.inferred && !one.event).map((one) => line(one.uuid, one.at));
  for (const one of known) expect(visits).toContainEqual(one);
  expect(known.map(({ at }) => at)).toEqual(expect.arrayContaining([visits[0]!.at, visits[5]!.at, visits[6]!.at]));
  const until = new Date(Date.parse(logout.at) + 10_000).toISOString();
  expect(await simulated(lines, until)).toEqual(await simulated([...visits, logout], until));
});

it('says in one line what is wrong with its environment', async () => {
  expect(await sandman(['trace', 'export'], {})).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^sandman: REDIS_URL is missing: .*\n$/),
  });
  const wrong = await sandman(['trace', 'export'], { DATABASE_URL: 'http://ada:geheim@x/y' });
  expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^sandman: DATABASE_URL .*\n$/) });
  expect(wrong.stderr).not.toContain('geheim');
  expect(await sandman(['trace', 'export'], { REDIS_URL: 'redis://127.0.0.1:1' })).toMatchObject({ code: 3, stdout: '' });
});
