import { askRedis, freePort, type RedisServer, startApp, startFaultProxy, startRedis, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { logLinesOf } from '../process-log.ts';
import { OPERATOR, START_MS, TestStack } from '../stack.ts';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis?.stop());

async function killApis({ apis, apiUrls }: TestStack): Promise<void> {
  for (const api of apis) api.kill('SIGKILL');
  await Promise.all(apis.map(({ exited }) => exited));
  apiUrls.length = 0;
}

describe.concurrent('a process with another number of shards', { timeout: 150_000 }, () => {
  it.for(['api', 'worker', 'dashboard'])(
    '%s: ends with exit code 2 and tells the number in force',
    async (app, { expect, onTestFinished }) => {
      const stack = new TestStack(redis.url, { SHARDS: '4' });
      onTestFinished(() => stack.stop());
      await stack.start({});
      const port = `${await freePort()}`;
      const ports = { PORT: port, METRICS_PORT: port, DASHBOARD_PORT: port };
      const login = { DASHBOARD_USER: OPERATOR.user, DASHBOARD_PASSWORD: OPERATOR.password };
      const other = startApp(app, { API_KEYS: 'a-key-of-sixteen-characters', ...stack.environment, ...ports, ...login, SHARDS: '1' });
      expect(await other.exited).toBe(2);
      expect(other.stderr()).toBe(`${app}: SHARDS is 1 and must be 4: the data in Redis was written with that\n`);
      const { uuid } = await stack.create('ada');
      expect(await stack.status(uuid)).toBe('active');
    },
  );

  it('of data that 0.1.0 wrote, which does not tell its number: it is found out', async ({ expect, onTestFinished }) => {
    const stack = new TestStack(redis.url, { SHARDS: '3' });
    onTestFinished(() => stack.stop());
    await stack.start({ workers: 0 });
    const { uuid } = await stack.create('ada');
    await killApis(stack);
    await askRedis(redis, (client) => client.del(`{${stack.prefix}:0}:shards`));
    const wrong = startApp('worker', { ...stack.environment, METRICS_PORT: `${await freePort()}`, SHARDS: '1' });
    expect(await wrong.exited).toBe(2);
    expect(wrong.stderr()).toContain('must be 3');
    await stack.addApi();
    await stack.addWorker();
    await stack.call('DELETE', `/v1/sessions/${uuid}`);
    await stack.until(uuid, 'deleted');
  });

  it('where there is no data and nobody runs any more: it may have another', async ({ expect, onTestFinished }) => {
    const stack = new TestStack(redis.url, { SHARDS: '2' });
    onTestFinished(() => stack.stop());
    await stack.start({ workers: 0 });
    await killApis(stack);
    const key = `{${stack.prefix}:0}:ingest`;
    // Moves the last heartbeats and the announcement a minute back.
    for (const shard of [0, 1])
      await askRedis(redis, (client) => client.hset(key.replace(':0}', `:${shard}}`), 'beat', Date.now() - 60_000));
    await askRedis(redis, (client) => client.hset(`{${stack.prefix}:0}:shards`, 'at', Date.now() - 60_000));
    stack.set({ SHARDS: '5' });
    await stack.addApi();
    expect((await stack.call('GET', '/v1/policies')).status).toBe(200);
  });

  it('that starts while Redis is away ends when it is back', async ({ expect, onTestFinished }) => {
    const stack = new TestStack(redis.url, { SHARDS: '4' });
    onTestFinished(() => stack.stop());
    await stack.start({ workers: 0 });
    const { hostname, port } = new URL(redis.url);
    const proxy = await startFaultProxy({ host: hostname, port: Number(port) });
    onTestFinished(() => proxy.close());
    await proxy.refuse();
    const url = `redis://${proxy.host}:${proxy.port}`;
    const apiPort = await freePort();
    const api = startApp('api', {
      API_KEYS: 'a-key-of-sixteen-characters',
      ...stack.environment,
      PORT: `${apiPort}`,
      REDIS_URL: url,
      SHARDS: '1',
    });
    onTestFinished(() => api.kill('SIGKILL'));
    await waitFor(
      'it serves, and is not ready',
      async () => (await fetch(`http://127.0.0.1:${apiPort}/readyz`).catch(() => null))?.status === 503,
      START_MS,
    );
    await proxy.normal();
    expect(await api.exited).toBe(2);
    expect(api.stderr()).toContain('SHARDS is 1 and must be 4');
  });
});

describe.concurrent('workers of which only some have DRY_RUN', { timeout: 180_000 }, () => {
  // A worker that stands still until both deadlines are over deletes without a sleep.
  const policy = { sleepAfter: '1s', deleteAfter: '8s' };

  it('the others do their work in time, and the dry run says that it does nothing', async ({ expect, onTestFinished }) => {
    const stack = new TestStack(redis.url);
    onTestFinished(() => stack.stop());
    await stack.start({});
    const dry = await stack.addWorker({ DRY_RUN: 'true' });
    await waitFor('the dry run has said it', () =>
      logLinesOf(dry).some(({ level, msg }) => level >= 50 && msg.startsWith('DRY_RUN is set here')),
    );
    const metrics = async () => (await fetch(`${dry.ops}/metrics`)).text();
    expect(await metrics()).toMatch(/^sandman_dry_run_conflict 1$/m);
    const sessions = await Promise.all(Array.from({ length: 10 }, (_, i) => stack.create(`user-${i}`, policy)));
    for (const { uuid } of sessions) await stack.until(uuid, 'deleted', 60_000);
    for (const { uuid, sleepAt } of sessions) {
      const [sleep] = await stack.calls(uuid, 'sleep');
      // An alarm that the dry run took would come 20 s late, by the sweep.
      expect(sleep!.at - Date.parse(sleepAt!)).toBeLessThan(10_000);
    }
    expect(logLinesOf(dry).filter(({ msg }) => msg === 'dry run: would call')).toEqual([]);
  });

  it('a dry run that is there first yields to those that come, and goes on when they are gone', async ({ expect, onTestFinished }) => {
    const stack = new TestStack(redis.url);
    onTestFinished(() => stack.stop());
    await stack.start({ workers: 0 });
    const dry = await stack.addWorker({ DRY_RUN: 'true' });
    const first = await stack.create('ada', policy);
    const said = () =>
      logLinesOf(dry)
        .filter(({ msg }) => msg === 'dry run: would call')
        .map(({ session }) => session);
    await waitFor('it says what it would do', () => said().includes(first.uuid));
    const real = await stack.addWorker();
    await stack.until(first.uuid, 'deleted', 60_000);
    await waitFor('the dry run has said it', () => logLinesOf(dry).some(({ msg }) => msg.startsWith('DRY_RUN is set here')));
    real.kill('SIGTERM');
    await real.exited;
    const second = await stack.create('bob', policy);
    await waitFor('it says again what it would do', () => said().includes(second.uuid), 60_000);
    expect(await stack.status(second.uuid)).toBe('active');
  });
});
