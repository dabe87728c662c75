import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Ledger, type LedgerSession } from '@sandman/ledger';
import {
  type DatabaseServer,
  type FaultProxy,
  type FoundRedis,
  lacks,
  redisForTests,
  startFaultProxy,
  type TestDatabase,
  waitFor,
} from '@sandman/sandbox';
import { eventLag } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { TestStack } from './stack.ts';

let redis: FoundRedis;
let client: Redis;

/** Reads a ledger metric of a worker. */
async function metric(ops: string, name: string): Promise<number> {
  const text = await (await fetch(`${ops}/metrics`)).text();
  return Number(new RegExp(`^sandman_ledger_${name} (.*)$`, 'm').exec(text)?.[1]);
}

/** Lists the commands that Redis is sent by all its clients while `work` runs. */
async function commandsDuring(work: () => Promise<void>): Promise<string[]> {
  const { hostname, port } = new URL(redis.url);
  let said = '';
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  socket.on('data', (chunk) => {
    said += chunk;
  });
  try {
    socket.write('MONITOR\r\n');
    await waitFor('Redis tells its commands', () => said.startsWith('+OK'));
    await work();
    const end = randomUUID();
    await client.echo(end);
    await waitFor('the last command', () => said.includes(end));
    return said.split('\r\n');
  } finally {
    socket.destroy();
  }
}

/** The poll interval for a database or metrics, in ms. Each poll slows down what it waits for. */
const POLL_MS = 200;

interface Setup {
  readonly stack: TestStack;
  readonly database: TestDatabase;
  /** Stands between the stack and the database. */
  readonly proxy: FaultProxy;
  /** Reads the database past the proxy. */
  readonly ledger: Ledger;
  row(uuid: string): Promise<LedgerSession | undefined>;
  /** Waits until the ledger has a session with this status. */
  statusIs(uuid: string, status: string): Promise<boolean>;
  /** Lists the statuses that a session went through. */
  changes(uuid: string): Promise<string[]>;
  /** Waits until the ledger has every change. */
  isUpToDate(timeout?: number): Promise<boolean>;
}

interface WithSetup {
  setup: Setup;
}

/** Makes a database and a stack that is not started yet; both end with the test. */
async function setUp(server: DatabaseServer, onTestFinished: TestContext['onTestFinished']): Promise<Setup> {
  const database = await server.create();
  onTestFinished(() => database.drop());
  const url = new URL(database.url);
  const proxy = await startFaultProxy({ host: url.hostname, port: Number(url.port) });
  onTestFinished(() => proxy.close());
  url.hostname = proxy.host;
  url.port = `${proxy.port}`;
  const ledger = new Ledger(database.url);
  onTestFinished(() => ledger.close());
  const stack = new TestStack(redis.url, { DATABASE_URL: url.href });
  onTestFinished(() => stack.stop());
  const row = async (uuid: string) => (await ledger.find([uuid]).catch(() => []))[0];
  const changesOf = (uuid: string) => `select id, to_status from session_events where uuid = '${uuid}' order by at, id`;
  return {
    stack,
    database,
    proxy,
    ledger,
    row,
    statusIs: (uuid, status) =>
      waitFor(`the ledger has ${uuid} as ${status}`, async () => {
        await pause(POLL_MS);
        return (await row(uuid))?.status === status;
      }),
    isUpToDate: (timeout) =>
      waitFor(
        'all is there',
        async () => {
          await pause(POLL_MS);
          return (await eventLag(client, { prefix: stack.prefix, shards: 1, group: 'ledger' })).events === 0;
        },
        timeout,
      ),
    changes: async (uuid) => (await database.ask<{ to_status: string }>(changesOf(uuid))).map(({ to_status }) => to_status),
  };
}

const FAULTS: Record<string, (proxy: FaultProxy) => Promise<void>> = {
  'says nothing': async (proxy) => proxy.blackhole(),
  refuses: async (proxy) => {
    await proxy.refuse();
    proxy.cut();
  },
};

/** Declares the tests of the ledger of a worker on this kind of database. They are concurrent, because each mostly waits. */
export function testLedgerOn(server: DatabaseServer): void {
  describe.skipIf(lacks(server.kind, server.remedy))(
    `the ledger of a worker on ${server.kind}`,
    { concurrent: true, timeout: 180_000 },
    () => {
      beforeAll(async () => {
        redis = await redisForTests();
        client = new Redis(redis.url);
      });
      afterAll(async () => {
        client?.disconnect();
        await redis?.stop();
      });

      // In a hook, so that it does not count towards the test's time limit: a database in this process takes seconds to make.
      beforeEach<WithSetup>(async (context) => {
        context.setup = await setUp(server, context.onTestFinished);
      });

      // The two drivers treat a refused connection alike, so one of them is enough.
      for (const fault of server.kind === 'postgres' ? ['says nothing', 'refuses'] : ['says nothing']) {
        it<WithSetup>(`a database that ${fault} delays the ledger and nothing else, and nothing is missing once it is back`, {
          timeout: 180_000,
        }, async ({ setup }) => {
          const { stack, proxy, row, statusIs, changes, isUpToDate } = setup;
          await stack.start({ workers: 2 });
          const before = await stack.create('ada');
          await statusIs(before.uuid, 'active');
          await FAULTS[fault]!(proxy);
          const sessions = await Promise.all(Array.from({ length: 30 }, (_, i) => stack.create(`user-${i}`)));
          for (const { uuid } of sessions) await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
          for (const { uuid } of sessions) await stack.until(uuid, 'sleeping', 10_000);
          await stack.call('DELETE', `/v1/sessions/${before.uuid}`);
          await stack.until(before.uuid, 'deleted', 10_000);
          // A worker that starts during the outage works. A killed worker takes its batch with it. A worker that is told to stop stops.
          const [killed, leaver] = stack.workers;
          killed!.kill('SIGKILL');
          const leave = async () => {
            const told = performance.now();
            leaver!.kill('SIGTERM');
            expect(await leaver!.exited).toBe(0);
            // A silent database counts as away after 15 s: leaving does not wait for that.
            expect(performance.now() - told).toBeLessThan(14_000);
          };
          await leave();
          const late = await stack.addWorker();
          // On a busy machine a scrape may show the values of the one before, or none yet.
          await waitFor('the backlog shows', async () => (await metric(late.ops, 'backlog')) > 60);
          await waitFor('the lag shows', async () => (await metric(late.ops, 'lag_seconds')) > 0.3);
          await proxy.normal();
          await isUpToDate(80_000);
          for (const { uuid } of sessions) {
            expect(await row(uuid)).toMatchObject({ status: 'sleeping' });
            expect(await changes(uuid)).toEqual(['active', 'falling-asleep', 'sleeping']);
          }
          expect(await row(before.uuid)).toMatchObject({ status: 'deleted' });
          // One line when the database could not be reached, and one when it was back.
          const said = late.stdout();
          expect(said.match(/cannot be reached yet|waits for its database/g)?.length).toBeLessThanOrEqual(2);
        });
      }

      it<WithSetup>('begins with the events of the stream, and with sessions that fell asleep long before', async ({ setup }) => {
        const { stack, database, row, statusIs, changes, isUpToDate } = setup;
        stack.set({ DATABASE_URL: '' });
        await stack.start({});
        const { uuid } = await stack.create('ada', 'aggressive');
        const { uuid: old } = await stack.create('grace', { sleepAfter: '10m', deleteAfter: 'never' });
        await stack.call('POST', `/v1/sessions/${old}/sleep`);
        await stack.until(old, 'sleeping');
        // Simulates events that the cap of the stream has removed.
        const events = `{${stack.prefix}:0}:events`;
        for (const [id, flat] of await client.xrange(events, '-', '+')) if (flat.includes(old)) await client.xdel(events, id);
        stack.workers[0]!.kill('SIGTERM');
        stack.set({ DATABASE_URL: database.url });
        const { ops } = await stack.addWorker();
        await statusIs(uuid, 'active');
        await statusIs(old, 'sleeping');
        expect(await changes(uuid)).toEqual(['active']);
        expect(await row(old)).toMatchObject({ userId: 'grace', policy: { sleepAfter: '10m', deleteAfter: 'never', backgroundCap: '4h' } });
        await isUpToDate();
        const commands = await commandsDuring(async () => {
          for (let i = 0; i < 5; i++) {
            expect(await metric(ops, 'backlog')).toBe(0);
            expect(await metric(ops, 'lag_seconds')).toBe(0);
          }
        });
        // XINFO GROUPS is only used to count the backlog, and a count is reused for 15 s.
        expect(commands.filter((command) => /"xinfo" "GROUPS"/i.test(command) && command.includes(stack.prefix))).toHaveLength(1);
      });

      it<WithSetup>('events of long ago are removed, and of sessions whose records are gone the events tell', async ({ setup }) => {
        const { stack, ledger, row, statusIs, changes } = setup;
        await ledger.migrate();
        const now = Date.now();
        const at = (ms: number) =>
          ({ uuid: 'long-gone', userId: 'ada', from: 'deleting', to: 'deleted', cause: 'manual', at: now - ms }) as const;
        await ledger.write({
          sessions: [],
          events: Array.from({ length: 1_500 }, (_, i) => ({ ...at(7_200_000), id: `old-${i}`, lastActivity: 0 })),
        });
        const fields = Object.entries({ ...at(1_800_000), lastActivity: now - 1_900_000 }).flat();
        await client.xadd(`{${stack.prefix}:0}:events`, '*', ...fields.map(String));
        stack.set({ LEDGER_RETENTION: '1h' });
        await stack.start({ apis: 0 });
        await statusIs('long-gone', 'deleted');
        await waitFor('only the young one is left', async () => {
          await pause(POLL_MS);
          return (await changes('long-gone')).length === 1;
        });
        expect(await row('long-gone')).toMatchObject({ userId: 'ada', lastActivity: now - 1_900_000 });
      });
    },
  );
}
