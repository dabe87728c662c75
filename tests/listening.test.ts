import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type AppProcess, type FoundRedis, freePort, redisForTests, startApp, startEntry, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';

const APPS = ['api', 'worker', 'dashboard', 'session-manager-sim', 'chat-backend'] as const;
const PORTS = {
  api: 'PORT',
  worker: 'METRICS_PORT',
  dashboard: 'DASHBOARD_PORT',
  'session-manager-sim': 'SIM_PORT',
  'chat-backend': 'PORT',
};
const LOOPBACKS = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ internal }) => internal)
  .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address));

let redis: FoundRedis;
const ports = new Map<string, number>();
const processes: AppProcess[] = [];

// HOST is not set for any of them.
beforeAll(async () => {
  redis = await redisForTests();
  for (const app of APPS) {
    const port = await freePort();
    ports.set(app, port);
    const env = {
      REDIS_URL: redis.url,
      KEY_PREFIX: 'listening',
      [PORTS[app]]: `${port}`,
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'unused',
      SIM_API_KEY: 'unused',
      API_KEYS: 'only-for-this-test',
      DASHBOARD_USER: 'olga',
      DASHBOARD_PASSWORD: 'only-for-this-test',
      SANDMAN_URL: 'http://127.0.0.1:1',
      SANDMAN_API_KEY: 'only-for-this-test',
      KEEP_ALIVE_TIMEOUT: '1s',
    };
    const example = new URL('../examples/chat-backend/src/main.ts', import.meta.url);
    processes.push(app === 'chat-backend' ? startEntry(example, env) : startApp(app, env));
  }
});

afterAll(async () => {
  for (const { kill } of processes) kill('SIGKILL');
  await Promise.all(processes.map(({ exited }) => exited));
  await redis?.stop();
});

const up = (app: string) =>
  waitFor(`${app} answers`, async () => (await fetch(`http://127.0.0.1:${ports.get(app)}/healthz`).catch(() => null))?.ok, 25_000);

it.each(APPS)('%s listens on IPv4 and IPv6 where HOST is not set', async (app) => {
  await up(app);
  expect(LOOPBACKS).toContain('127.0.0.1');
  for (const address of LOOPBACKS) expect((await fetch(`http://${address}:${ports.get(app)}/healthz`)).status, address).toBe(200);
});

it.each(['api', 'dashboard'])('%s closes a connection that is idle for KEEP_ALIVE_TIMEOUT, and none before', async (app) => {
  await up(app);
  const socket = connect(ports.get(app)!, '127.0.0.1');
  const ask = async () => {
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [answer] = await once(socket, 'data');
    expect(`${answer}`).toContain('Keep-Alive: timeout=1\r\n');
    return performance.now();
  };
  await ask();
  const idleFrom = await ask();
  await once(socket.resume(), 'end');
  const idle = performance.now() - idleFrom;
  socket.destroy();
  // Node waits one second longer than it announces.
  expect(idle).toBeGreaterThan(950);
  expect(idle).toBeLessThan(6_000);
});
