import {
  type AppProcess,
  eventFrames,
  formLogin,
  freePort,
  nextEvent,
  type RedisServer,
  startApp,
  startRedis,
  waitFor,
} from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';

let redis: RedisServer;
let dashboard: AppProcess;
let base: string;

let login: { cookie?: string } = {};

/** Returns the status of the answer; null if there is none within 2 s. */
async function status(path: string): Promise<number | null> {
  const answer = await fetch(`${base}${path}`, { headers: login, signal: AbortSignal.timeout(2_000) }).catch(() => null);
  return answer?.status ?? null;
}

const ready = (wanted: number) => waitFor(`readyz ${wanted}`, async () => (await status('/readyz')) === wanted);

beforeAll(async () => {
  redis = await startRedis({ aof: true });
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  dashboard = startApp('dashboard', {
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    DASHBOARD_PORT: `${port}`,
    DASHBOARD_USER: 'admin',
    DASHBOARD_PASSWORD: 'right',
    TRUST_PROXY: '127.0.0.1',
  });
  await ready(200);
  login = (await formLogin(base, 'admin', 'right')).headers;
});

afterAll(async () => {
  dashboard?.kill('SIGKILL');
  await redis?.stop();
});

it('while Redis is frozen it is not ready, and says so in time', async () => {
  process.kill(redis.pid(), 'SIGSTOP');
  try {
    expect(await status('/readyz')).toBe(503);
    expect(await status('/healthz')).toBe(200);
  } finally {
    process.kill(redis.pid(), 'SIGCONT');
  }
  await ready(200);
});

const openStream = () => eventFrames(`${base}/api/live`, { ...login });

it('while Redis is dead its pages fail at once, one that is open says so, and all work again when it is back', async () => {
  const stream = openStream();
  expect(await nextEvent(stream, 'overview')).toHaveProperty('troubles');
  await redis.kill();
  await ready(503);
  expect(await nextEvent(stream, 'trouble')).toBe('Redis cannot be reached');
  expect(await status('/queues/api/queues')).toBe(503);
  expect(await status('/api/trend')).toBe(503);
  expect(await status('/')).toBe(200);
  await redis.restart();
  await ready(200);
  expect(await status('/queues/api/queues')).toBe(200);
  expect(await nextEvent(stream, 'overview')).toHaveProperty('troubles');
  await stream.return(undefined);
});

it('a failed login is logged with its user and address, and so is the end of tries from there', async () => {
  const client = '192.0.2.7';
  const user = `${'x'.repeat(50)}\n\u202e\u001b[31m${'y'.repeat(1_000)}`;
  const attempt = () =>
    fetch(`${base}/login`, {
      method: 'POST',
      headers: { 'x-forwarded-for': client },
      body: new URLSearchParams({ user, password: 'guessed-password' }),
    });
  for (let i = 0; i < 10; i++) expect((await attempt()).status).toBe(401);
  for (let i = 0; i < 3; i++) expect((await attempt()).status).toBe(429);
  const lines = () =>
    dashboard
      .stdout()
      .split('\n')
      .filter((line) => line.includes(client))
      .map((line) => JSON.parse(line) as { msg: string; user?: string; address: string });
  await waitFor('it is logged', () => lines().length >= 11);
  expect(lines()).toHaveLength(11);
  const shown = `${'x'.repeat(50)}\u{fffd}\u{fffd}\u{fffd}[31m${'y'.repeat(7)}`;
  expect(lines()[0]).toMatchObject({ msg: 'login failed', user: shown, address: client });
  expect(lines().at(-1)).toMatchObject({ msg: expect.stringContaining('too many failed logins'), address: client });
  expect(dashboard.stdout()).not.toContain('guessed-password');
});

it('SIGTERM ends it with 0, also while a page is open', async () => {
  const stream = openStream();
  await nextEvent(stream, 'overview');
  dashboard.kill('SIGTERM');
  expect(await dashboard.exited).toBe(0);
});

it('says where it listens, and logs its troubles as JSON only', () => {
  expect(dashboard.stdout()).toContain(`"address":"${base}"`);
  expect(dashboard.stderr()).toBe('');
});
