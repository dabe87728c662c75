import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sandman, sandmanHere } from '../../packages/cli/src/cli.fixture.ts';
import { TestStack } from '../stack.ts';

const line = (uuid: string, at: string, more = {}) => ({ uuid, at, ...more });

/** How long a simulated pod stays awake without activity, in ms: longer than any gap between known and inferred lines. */
const SIMULATED_MS = 12_000;

/** Simulates a policy on a trace that ends at `until`. */
async function simulated(lines: readonly object[], until: string) {
  const trace = lines.map((one) => `${JSON.stringify(one)}\n`).join('');
  const policy = JSON.stringify({ sleepAfter: `${SIMULATED_MS}ms`, deleteAfter: 'never' });
  const { stdout } = await sandman(['simulate', '-', '--policy', policy, '--until', until, '--json'], {}, trace);
  const [result] = JSON.parse(stdout).policies as [Record<'awakeSeconds' | 'asleepSeconds' | 'sleeps' | 'wakes' | 'deletes', number>];
  const { awakeSeconds, asleepSeconds, sleeps, wakes, deletes } = result;
  return { awakeSeconds, asleepSeconds, sleeps, wakes, deletes };
}

describe.concurrent('of a running Sandman', { timeout: 150_000 }, () => {
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

  it('a trace holds what a longer policy needs to know of its users', async () => {
    const policy = { sleepAfter: '6s', deleteAfter: 'never' };
    const { uuid, lastActivity } = await stack.create('ada', policy);
    const other = await stack.create('bob', policy);
    const visits = [line(uuid, lastActivity), line(other.uuid, other.lastActivity)];
    const ping = async () => {
      const { lastActivity: at } = await stack.ping(uuid);
      visits.push(line(uuid, at));
      return at;
    };
    // Without inferred lines, the simulated pod would fall asleep in this time.
    const longer = Date.parse(lastActivity) + SIMULATED_MS + 200;
    await waitFor('pings go on for longer than the simulated policy waits', async () => Date.parse(await ping()) > longer);
    const lastOfFirstVisit = visits.at(-1)!.at;
    await stack.until(uuid, 'sleeping');
    const woken = await ping();
    await stack.until(uuid, 'active');
    const last = await ping();
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
    expect(known.map(({ at }) => at)).toEqual(expect.arrayContaining([lastActivity, lastOfFirstVisit, woken, last]));
    const until = new Date(Date.parse(logout.at) + 5 * SIMULATED_MS).toISOString();
    const [exported, lived] = await Promise.all([simulated(lines, until), simulated([...visits, logout], until)]);
    expect(exported).toEqual(lived);
  });
});

describe.concurrent('one line says what is wrong', () => {
  it.each([
    ['no REDIS_URL', {}, /^sandman: REDIS_URL is missing: .*\n$/],
    ['an address that is no database', { DATABASE_URL: 'http://ada:geheim@x/y' }, /^sandman: DATABASE_URL .*\n$/],
  ])('with the environment: %s', async (_, env, stderr) => {
    const ended = await sandmanHere(['trace', 'export'], env);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(stderr) });
    expect(ended.stderr).not.toContain('geheim');
  });

  it('with a Redis that cannot be reached', async () => {
    expect(await sandman(['trace', 'export'], { REDIS_URL: 'redis://127.0.0.1:1' })).toMatchObject({ code: 3, stdout: '' });
  });
});
