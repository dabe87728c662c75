import { setTimeout } from 'node:timers/promises';
import { type LiveReading, newSession, parsePolicy } from '@sandman/core';
import { Ledger, type LedgerSession, sessionOf } from '@sandman/ledger';
import { Arming } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { type DatabaseServer, findDatabase, lacks, type RedisServer, startRedis, type TestDatabase, waitFor } from '@sandman/sandbox';
import { eventLag, RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from '../stack.ts';

const SESSIONS = 2_000;
const AT_ONCE = 50;
/** The interval at which a worker is killed, in ms. */
const KILL_EVERY_MS = 2_000;

const [postgres, mysql] = await Promise.all([findDatabase('postgres'), findDatabase('mysql')]);
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis?.stop();
  await Promise.all([postgres.stop(), mysql.stop()]);
});

/** Calls `run` `count` times, with `AT_ONCE` calls concurrently. */
async function each(count: number, run: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await run(next++);
    }),
  );
}

async function allRows(ledger: Ledger): Promise<LedgerSession[]> {
  const rows: LedgerSession[] = [];
  for (let page: LedgerSession[]; ; rows.push(...page)) {
    page = await ledger.sessions(rows.at(-1)?.uuid ?? '', 1_000);
    if (page.length === 0) return rows;
  }
}

/** Returns the fields that must be exactly equal. */
const exact = ({ lastActivity, updatedAt, rev, ...rest }: LedgerSession) => rest;

/** Kills one worker after another and replaces each, until the returned function is called; that returns how many were killed. */
function killWorkers(stack: TestStack, every: number): () => Promise<number> {
  let killed = 0;
  const stopped = new AbortController();
  const killing = (async () => {
    while (await setTimeout(every, true, { signal: stopped.signal }).catch(() => false)) {
      stack.workers.at(-2)!.kill('SIGKILL');
      killed += 1;
      await stack.addWorker();
    }
  })();
  return async () => {
    stopped.abort();
    await killing;
    return killed;
  };
}

describe('thousands of sessions and their lives, with workers killed throughout', () => {
  let stack: TestStack;
  let watch: Redis;
  let store: RedisSessionStore;
  let alarms: AlarmQueues;
  const databases: TestDatabase[] = [];

  const make = async (server: DatabaseServer) => {
    const database = await server.create();
    databases.push(database);
    stack.set({ DATABASE_URL: database.url });
    return database;
  };

  /** Compares the ledger with Redis row by row, and checks that it has every change once. */
  const compare = async ({ kind, url, ask }: TestDatabase) => {
    const options = { prefix: stack.prefix, shards: 1, group: 'ledger' };
    await waitFor('the ledger has all of it', async () => (await eventLag(watch, options)).events === 0, 90_000);
    const ledger = new Ledger(url);
    const rows = await allRows(ledger);
    await ledger.close();
    const readings = (await Promise.all(rows.map(({ uuid }) => store.read(uuid)))) as LiveReading[];
    const records = readings.map(sessionOf);
    expect(rows).toHaveLength(SESSIONS);
    expect(rows.map(exact)).toEqual(records.map(exact));
    expect(rows.filter((row, i) => Math.abs(row.lastActivity - records[i]!.lastActivity) >= 60_000)).toEqual([]);

    const events = await ask<Record<string, string | Date | null>>('select * from session_events');
    const inLedger = events.map((event) =>
      [event.id, event.uuid, (event.at as Date).getTime(), event.from_status ?? '', event.to_status, event.cause].join(' '),
    );
    const stream = await watch.xrange(`{${stack.prefix}:0}:events`, '-', '+');
    const inRedis = stream.map(([id, flat]) => {
      const of = (name: string) => flat[flat.indexOf(name) + 1];
      return [`0-${id}`, of('uuid'), of('at'), of('from'), of('to'), of('cause')].join(' ');
    });
    expect(inLedger.toSorted()).toEqual(inRedis.toSorted());
    console.log(`${kind}: ${rows.length} rows and ${events.length} events are as in Redis`);
  };

  beforeAll(async () => {
    stack = new TestStack(redis.url, {
      SESSION_MANAGER_TIMEOUT: '2s',
      LATE_EFFECT_BOUND: '500ms',
      WORKER_CONCURRENCY: '100',
      LOG_LEVEL: 'warn',
    });
    watch = new Redis(redis.url, { maxRetriesPerRequest: null });
    alarms = new AlarmQueues(watch, stack.prefix, 1, () => {});
    store = new RedisSessionStore(watch, { prefix: stack.prefix, shards: 1, slack: 1 });
  });
  afterAll(async () => {
    await stack?.stop();
    await alarms?.close();
    watch?.disconnect();
    for (const database of databases) await database.drop();
  });

  it.skipIf(lacks('postgres', postgres.remedy))(
    'PostgreSQL: follows them',
    async () => {
      const database = await make(postgres);
      await stack.start({ apis: 1, workers: 2 });
      const stop = killWorkers(stack, KILL_EVERY_MS);
      const arming = new Arming(store, alarms);
      const uuids: string[] = [];
      const policies = [
        { sleepAfter: '2s', deleteAfter: '1h' },
        { sleepAfter: '2s', deleteAfter: '1h' },
        { sleepAfter: '2s', deleteAfter: '2s' },
        { sleepAfter: 'never', deleteAfter: '3s' },
      ];
      await each(SESSIONS, async (i) => {
        const [uuid, userId] = [`s${i}`, `user-${i % 3_000}`];
        await stack.sim('POST', '/sim/pods', { uuid, userId });
        const { now } = await store.read(uuid);
        const policy = parsePolicy('custom', policies[i % policies.length], 'policy');
        const patch = newSession({ userId, workspaceUrl: `https://${uuid}.example`, policy, cause: 'created' }, null, now);
        const created = await store.commit(uuid, null, { patch, alarms: true });
        if (created.kind === 'committed') await arming.arm(created, null);
        uuids.push(uuid);
      });
      // Some users return.
      await each(SESSIONS / 5, (i) => stack.call('POST', `/v1/sessions/${uuids[i * 5]}/activity`));
      await waitFor(
        'all have come to rest',
        async () => {
          const { sleeping, ...others } = await store.count();
          return sleeping > 0 && Object.values(others).every((count) => count === 0);
        },
        200_000,
      );
      expect(await stop()).toBeGreaterThan(2);
      await compare(database);
    },
    300_000,
  );

  it.skipIf(lacks('mysql', mysql.remedy))(
    'MariaDB: makes up for all of them, begun anew where the stream begins',
    async () => {
      const database = await make(mysql);
      for (const worker of stack.workers) worker.kill('SIGKILL');
      await watch.xgroup('DESTROY', `{${stack.prefix}:0}:events`, 'ledger');
      await Promise.all([stack.addWorker(), stack.addWorker()]);
      const left = async () => (await eventLag(watch, { prefix: stack.prefix, shards: 1, group: 'ledger' })).events;
      const all = await left();
      for (const share of [0.9, 0.5, 0.2]) {
        await waitFor(`${share} of it is left`, async () => (await left()) < share * all, 60_000);
        stack.workers.at(-2)!.kill('SIGKILL');
        await stack.addWorker();
      }
      await compare(database);
    },
    300_000,
  );
});
