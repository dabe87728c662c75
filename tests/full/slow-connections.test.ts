import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { type Certificate, type FoundRedis, lacks, makeCertificate, opensslFound, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { TestStack } from '../stack.ts';

/** Delay in ms of resolving a name, accepting a connection, and starting TLS: each longer than a decision may age. */
const SLOW = 1_500;
/** Sessions that are put to sleep concurrently. */
const MANY = 40;

let redis: FoundRedis;

beforeAll(async () => {
  redis = await redisForTests();
});

afterAll(() => redis?.stop());

/** Makes a process resolve `slow.test` in 1.5 s. */
const SLOW_NAMES = `data:text/javascript,${encodeURIComponent(`
  import dns from 'node:dns';
  const { lookup } = dns;
  const slow = (name) => (name === 'slow.test' ? ${SLOW} : 0);
  const known = (name) => (name === 'slow.test' ? '127.0.0.1' : name);
  dns.lookup = (name, options, done) => setTimeout(() => lookup(known(name), options, done), slow(name));
  const ask = dns.promises.lookup;
  dns.promises.lookup = async (name, options) => {
    await new Promise((resolve) => setTimeout(resolve, slow(name)));
    return ask(known(name), options);
  };
`)}`;

interface Front {
  readonly port: number;
  /** Returns the number of connections that were accepted so far. */
  connections(): number;
  close(): Promise<void>;
}

/** Starts a proxy before the session-manager that is slow to take each connection, and may close it after one answer. */
async function startFront(target: string, { certificate, closes }: { certificate?: Certificate; closes: boolean }): Promise<Front> {
  const open = new Set<Socket>();
  let taken = 0;
  const context = certificate && createSecureContext({ cert: readFileSync(certificate.path), key: readFileSync(certificate.keyPath) });
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    taken++;
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    setTimeout(
      () => {
        const from = context ? new TLSSocket(socket, { isServer: true, secureContext: context }) : socket;
        const to = connectTcp(Number(new URL(target).port), '127.0.0.1');
        open.add(to);
        for (const one of [from, to]) one.on('error', () => {});
        from.pipe(to);
        to.on('data', (chunk) => {
          from.write(chunk);
          if (closes) from.end();
        });
        to.on('close', () => from.end());
        from.on('close', () => to.destroy());
        socket.resume();
      },
      context ? SLOW : 0,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => taken,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Starts a stack whose processes reach the session-manager at the URL that `url` returns. */
async function stackBehind(url: (target: string) => Promise<string>, env: Record<string, string> = {}): Promise<TestStack> {
  const stack = new TestStack(redis.url, { ...env, NODE_OPTIONS: `--import=${SLOW_NAMES}` });
  await stack.start({ apis: 0, workers: 0 });
  stack.set({ SESSION_MANAGER_URL: await url(stack.environment.SESSION_MANAGER_URL!) });
  await Promise.all([stack.addApi(), stack.addWorker()]);
  return stack;
}

describe.concurrent('a connection that takes longer to open than a decision may age', { timeout: 240_000 }, () => {
  it('for its name takes 1.5 s: sessions are created, fall asleep in time, wake and are deleted', async ({ expect, onTestFinished }) => {
    const stack = await stackBehind(async (target) => target.replace('127.0.0.1', 'slow.test'));
    onTestFinished(() => stack.stop());
    const { uuid } = await stack.create('ada', { sleepAfter: '3s', deleteAfter: '1h' });
    await stack.until(uuid, 'sleeping');
    const [sleep] = await stack.calls(uuid, 'sleep');
    const [created] = await stack.calls(uuid, 'create');
    // Idle for 3 s, 1.5 s for the connection, and a margin for a busy machine.
    expect(sleep!.at - created!.doneAt).toBeLessThan(3_000 + SLOW + 10_000);
    // A long policy, so that it does not fall asleep again between the calls.
    await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' });
    expect(await stack.call('POST', `/v1/sessions/${uuid}/wake?wait=60s`)).toMatchObject({ status: 200, body: { status: 'active' } });
    expect((await stack.call('POST', `/v1/sessions/${uuid}/chat`, { message: 'hello' })).status).toBe(200);
    await stack.call('DELETE', `/v1/sessions/${uuid}`);
    await stack.until(uuid, 'deleted');
    // No call was repeated.
    expect((await stack.calls(uuid)).map(({ call }) => call).filter((call) => call !== 'status')).toEqual([
      'create',
      'sleep',
      'wake',
      'chat',
      'delete',
    ]);
  });

  it.skipIf(lacks('tls', opensslFound() ? null : 'install openssl'))(
    'for name and TLS take 1.5 s each and it is closed after each answer: many at once, and each call is made once',
    async ({ expect, onTestFinished }) => {
      const certificate = makeCertificate('slow.test');
      let front: Front | undefined;
      const stack = await stackBehind(
        async (target) => {
          front = await startFront(target, { certificate, closes: true });
          return `https://slow.test:${front.port}`;
        },
        { NODE_EXTRA_CA_CERTS: certificate.path },
      );
      onTestFinished(async () => {
        await stack.stop();
        await front?.close();
        certificate.remove();
      });
      const uuids = Array.from({ length: MANY }, (_, i) => `pod-${i}`);
      await Promise.all(uuids.map((uuid) => stack.sim('POST', '/sim/pods', { uuid, userId: 'ada' })));
      await Promise.all(uuids.map((uuid) => stack.call('PUT', `/v1/sessions/${uuid}`, { userId: 'ada' })));
      await waitFor(
        'all are verified',
        async () => (await Promise.all(uuids.map((uuid) => stack.calls(uuid, 'status')))).every(({ length }) => length > 0),
        90_000,
      );
      await Promise.all(uuids.map((uuid) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
      for (const uuid of uuids) await stack.until(uuid, 'sleeping', 60_000);
      await Promise.all(uuids.map((uuid) => stack.ping(uuid)));
      for (const uuid of uuids) await stack.until(uuid, 'active', 60_000);
      const calls = await Promise.all(uuids.map((uuid) => stack.calls(uuid, 'sleep', 'wake')));
      expect(calls.flat()).toHaveLength(2 * MANY);
      expect(front!.connections()).toBeGreaterThanOrEqual(3 * MANY);
    },
  );
});
