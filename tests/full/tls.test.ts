import { type AddressInfo, connect, createServer } from 'node:net';
import {
  type AppProcess,
  type Certificate,
  freePort,
  lacks,
  makeCertificate,
  opensslFound,
  redisKnows,
  startApp,
  startRedis,
  startRedisCluster,
  startSentinel,
  waitFor,
} from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { START_MS, TestStack } from '../stack.ts';

function missing(): string | null {
  if (!opensslFound()) return 'install openssl';
  return redisKnows('tls-auth-clients', 'no') ? null : 'install a redis-server that is built with TLS (Debian’s is)';
}

// Starting servers and processes takes longer than the tests, so each kind shares one Redis and the kinds are concurrent.
const SIDE_BY_SIDE = { concurrent: true };

interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

const KINDS: [string, (certificate: Certificate) => Promise<Served>][] = [
  ['a Cluster', (certificate) => startRedisCluster({ certificate })],
  ['sentinels and what they watch', (certificate) => startSentinel({ certificate })],
  ['one server', (certificate) => startRedis({ certificate })],
];

describe.skipIf(lacks('tls', missing()))('over TLS', { timeout: 150_000 }, () => {
  let certificate: Certificate;

  beforeAll(() => {
    certificate = makeCertificate();
  });

  afterAll(() => {
    certificate?.remove();
  });

  describe.each(KINDS)('with %s', SIDE_BY_SIDE, (_, start) => {
    let redis: Served;

    beforeAll(async () => {
      redis = await start(certificate);
    });

    afterAll(() => redis?.stop());

    it('the main job runs', async ({ onTestFinished }) => {
      const stack = new TestStack(redis.url, { NODE_EXTRA_CA_CERTS: certificate.path });
      onTestFinished(() => stack.stop());
      expect(redis.url).toMatch(/^rediss/);
      await stack.start({});
      const { uuid } = await stack.create('ada', { sleepAfter: '500ms', deleteAfter: '1h' });
      await stack.until(uuid, 'sleeping');
      await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' });
      expect((await stack.ping(uuid)).status).toBe('waking');
      await stack.until(uuid, 'active');
      await stack.call('POST', '/v1/users/ada/logout');
      await stack.until(uuid, 'deleted');
    });

    it('under a certificate it does not trust, a process stays up and not ready', async ({ onTestFinished }) => {
      const [port, metricsPort] = [await freePort(), await freePort()];
      const key = 'a-key-of-some-length';
      const common = { REDIS_URL: redis.url, HOST: '127.0.0.1', SESSION_MANAGER_URL: 'http://127.0.0.1:1', SESSION_MANAGER_API_KEY: key };
      const apps: [AppProcess, string][] = [
        [startApp('api', { ...common, API_KEYS: key, PORT: `${port}` }), `http://127.0.0.1:${port}`],
        [startApp('worker', { ...common, METRICS_PORT: `${metricsPort}` }), `http://127.0.0.1:${metricsPort}`],
      ];
      onTestFinished(async () => {
        for (const [app] of apps) app.kill('SIGKILL');
        await Promise.all(apps.map(([app]) => app.exited));
      });
      for (const [app, url] of apps) {
        await waitFor('it is up', async () => (await fetch(`${url}/healthz`).catch(() => null))?.ok, START_MS);
        // ioredis does not report why a sentinel failed.
        await waitFor('it says why', () => {
          expect(app.stderr()).toBe('');
          return /self-signed certificate|All sentinels are unreachable/.test(app.stdout());
        });
        expect((await fetch(`${url}/readyz`)).status).toBe(503);
      }
      const ping = await fetch(`http://127.0.0.1:${port}/v1/sessions/nobody/activity`, { method: 'POST', headers: { 'x-api-key': key } });
      expect(ping.status).toBe(503);
      for (const [app] of apps) expect(app.stderr()).toBe('');
    });
  });

  // The client gives up in the middle of the handshake. The certificate arrives after that, followed by an alert.
  describe('with a network that holds back what the server sends until the connection is given up', SIDE_BY_SIDE, () => {
    it.for([
      ['rediss', ''],
      ['rediss+cluster', ''],
      ['rediss+sentinel', '/main'],
    ])('%s: a process stays up and not ready', async ([scheme, path], { expect, onTestFinished }) => {
      const redis = await startRedis({ certificate });
      onTestFinished(() => redis.stop());
      let givenUp = 0;
      const network = createServer({ allowHalfOpen: true }, (client) => {
        const server = connect({ host: '127.0.0.1', port: redis.port, allowHalfOpen: true });
        const held: Buffer[] = [];
        client.on('error', () => {}).on('data', (chunk) => server.write(chunk));
        client.on('end', () => {
          givenUp += 1;
          server.end();
        });
        server.on('error', () => {}).on('data', (chunk) => held.push(chunk));
        server.on('end', () => client.end(Buffer.concat(held)));
      });
      await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void network.close());
      const [port, key] = [await freePort(), 'a-key-of-some-length'];
      const api = startApp('api', {
        REDIS_URL: `${scheme}://127.0.0.1:${(network.address() as AddressInfo).port}${path}`,
        HOST: '127.0.0.1',
        PORT: `${port}`,
        API_KEYS: key,
        SESSION_MANAGER_URL: 'http://127.0.0.1:1',
        SESSION_MANAGER_API_KEY: key,
      });
      onTestFinished(async () => {
        api.kill('SIGKILL');
        await api.exited;
      });
      await waitFor(
        'connections were given up',
        () => {
          expect(api.stderr()).toBe('');
          return givenUp >= 4;
        },
        90_000,
      );
      expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(503);
    });
  });
});
