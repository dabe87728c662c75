import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { type DatabaseServer, type FoundRedis, findDatabase, freePort, redisForTests, startApp, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { testLedgerOn } from './ledger.fixture.ts';
import { logLinesOf } from './process-log.ts';
import { TestStack } from './stack.ts';

const [postgres, mysql] = await Promise.all([findDatabase('postgres'), findDatabase('mysql')]);
let redis: FoundRedis;

beforeAll(async () => {
  redis = await redisForTests();
});
afterAll(async () => {
  await redis?.stop();
  await Promise.all([postgres.stop(), mysql.stop()]);
});

// A database that runs in this process takes seconds to make, on a busy machine many.
vi.setConfig({ testTimeout: 90_000 });
// The tests are concurrent, because each mostly waits: for a sweep, for a retry, or for a batch to count as abandoned.
const SIDE_BY_SIDE = { concurrent: true };

// The same on MariaDB: tests/full/ledger-mysql.test.ts.
testLedgerOn(postgres);

describe('a wrong DATABASE_URL', SIDE_BY_SIDE, () => {
  const begin = async (DATABASE_URL: string, further: Record<string, string> = {}) => {
    return startApp('worker', {
      REDIS_URL: redis.url,
      KEY_PREFIX: `test-${randomUUID()}`,
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'x',
      METRICS_PORT: `${await freePort()}`,
      DATABASE_URL,
      ...further,
    });
  };
  const start = async (url: string, further: Record<string, string> = {}) => {
    const worker = await begin(url, further);
    return { code: await worker.exited, said: worker.stderr(), out: worker.stdout() };
  };
  const at = async (server: DatabaseServer, change: (url: URL) => void) => {
    const database = await server.create();
    const url = new URL(database.url);
    await database.drop();
    change(url);
    return url.href;
  };
  const nobody = (url: URL) => {
    url.username = 'nobody';
    url.password = 'hunter2';
  };

  it('ends the worker with 2 and one line', async () => {
    const addresses: Record<string, string> = {
      'of another kind': 'oracle://sandman:hunter2@127.0.0.1/sandman',
      'without a database': 'postgres://sandman:hunter2@127.0.0.1',
    };
    // A machine whose resolver does not answer cannot tell that the host does not exist, so the worker would wait for it.
    const unknown = await lookup('nowhere.invalid').catch((error: NodeJS.ErrnoException) => error.code);
    if (unknown === 'ENOTFOUND') addresses['of a host that is not there'] = 'mysql://sandman:hunter2@nowhere.invalid/sandman';
    for (const server of [postgres, mysql].filter(({ remedy, own }) => remedy === null && !own)) {
      addresses[`no database of ${server.kind}`] = await at(server, () => {});
      addresses[`no login of ${server.kind}`] = await at(server, nobody);
    }
    // One after the other: seven processes that start at once starve the tests beside this one.
    for (const [what, url] of Object.entries(addresses)) {
      const { code, said, out } = await start(url);
      expect(said, what).toMatch(/^worker: DATABASE_URL must be [^\n]+\n$/);
      expect(code, what).toBe(2);
      expect(said + out, what).not.toContain('hunter2');
    }
  });

  for (const server of [postgres, mysql]) {
    describe.skipIf(server.remedy !== null)(`of ${server.kind}`, SIDE_BY_SIDE, () => {
      it('whose user_sessions is another application’s ends the worker with 2', async ({ onTestFinished }) => {
        const database = await server.create();
        onTestFinished(() => database.drop());
        await database.ask('create table user_sessions (id integer primary key, token varchar(20))');
        const { code, said } = await start(database.url);
        expect(said).toMatch(/^worker: DATABASE_URL must be [^\n]+ its table user_sessions is not the ledger's, it has no uuid, [^\n]+\n$/);
        expect(code).toBe(2);
      });
    });
  }

  it('so does a wrong LEDGER_RETENTION', async () => {
    expect(await start('', { LEDGER_RETENTION: 'for ever' })).toMatchObject({
      code: 2,
      said: expect.stringMatching(/^worker: LEDGER_RETENTION is malformed: it must be a duration [^\n]+\n$/),
    });
  });

  it('what waiting cannot mend, found later, is logged as an error, and the worker goes on', async ({ onTestFinished }) => {
    const database = await postgres.create();
    onTestFinished(() => database.drop());
    const stack = new TestStack(redis.url, { DATABASE_URL: database.url });
    onTestFinished(() => stack.stop());
    await stack.start({});
    await waitFor('its tables are there', () =>
      database.ask('select 1 from user_sessions').then(
        () => true,
        () => false,
      ),
    );
    await database.ask('drop table user_sessions');
    const { uuid } = await stack.create('ada');
    const lines = () =>
      logLinesOf(stack.workers[0]!).filter(({ msg }) => msg === 'the ledger is not written until its database is changed');
    await waitFor('the error', () => lines().length > 0);
    expect(lines()).toMatchObject([{ level: 50, reason: expect.stringMatching(/: a table or a column of the ledger is missing$/) }]);
    await stack.call('DELETE', `/v1/sessions/${uuid}`);
    await stack.until(uuid, 'deleted');
  });
});
