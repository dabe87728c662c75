import type { LiveReading } from '@sandman/core';
import { Ledger, type LedgerSession, sessionOf } from '@sandman/ledger';
import { behind, RedisSessionStore } from '@sandman/store';
import { findDatabase, lacks, type RedisServer, startRedis, type TestDatabase, waitFor } from '@sandman/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

const SESSIONS = 10_000;
const AT_ONCE = 50;
/** A worker is killed so often, ms. */
const KILL_EVERY_MS = 2_000;

const servers = await Promise.all([findDatabase('postgres'), findDatabase('mysql')]);
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

/** Runs so many, some at once. */
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

/** What must be the same to the letter. */
const exact = ({ lastActivity, updatedAt, rev, ...rest }: LedgerSession) => rest;

describe.each(servers)('on $kind', (server) => {
  describe.skipIf(lacks(server.kind, server.remedy))('after 10,000 lives', () => {
    let database: TestDatabase;
    let stack: TestStack;

    afterEach(async () => {
      await stack?.stop();
      await database?.drop();
      await server.stop();
    });

    it('with workers killed throughout, the ledger is what Redis is, row by row', async () => {
      database = await server.create();
      stack = new TestStack(redis.url, {
        DATABASE_URL: database.url,
        SESSION_MANAGER_TIMEOUT: '2s',
        LATE_EFFECT_BOUND: '500ms',
        WORKER_CONCURRENCY: '100',
        LOG_LEVEL: 'warn',
      });
      await stack.start({ apis: 1, workers: 2 });
      const watch = new Redis(redis.url);
      const store = new RedisSessionStore(watch, { prefix: stack.prefix, shards: 1, slack: 1 });
      let kills = 0;
      let alive = true;
      const killing = (async () => {
        while (alive) {
          await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
          stack.workers[kills++]!.kill('SIGKILL');
          await stack.addWorker();
        }
      })();

      const uuids: string[] = [];
      const policies = [
        { sleepAfter: '2s', deleteAfter: '1h' },
        { sleepAfter: '2s', deleteAfter: '1h' },
        { sleepAfter: '2s', deleteAfter: '2s' },
        { sleepAfter: 'never', deleteAfter: '3s' },
      ];
      await each(SESSIONS, async (i) => {
        const { uuid } = await stack.create(`user-${i % 3_000}`, policies[i % policies.length]);
        uuids.push(uuid);
      });
      // Some come back.
      await each(SESSIONS / 5, (i) => stack.call('POST', `/v1/sessions/${uuids[i * 5]}/activity`));
      await waitFor(
        'all have come to rest',
        async () => {
          const { sleeping, ...others } = await store.count();
          return sleeping > 0 && Object.values(others).every((count) => count === 0);
        },
        80_000,
      );
      alive = false;
      await killing;
      const options = { prefix: stack.prefix, shards: 1, group: 'ledger' };
      await waitFor('the ledger has all of it', async () => (await behind(watch, options)).events === 0, 45_000);

      const ledger = new Ledger(database.url);
      const rows = await allRows(ledger);
      const readings = (await Promise.all(uuids.map((uuid) => store.read(uuid)))) as LiveReading[];
      const records = readings.map(sessionOf).toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
      expect(rows).toHaveLength(SESSIONS);
      expect(rows.map(exact)).toEqual(records.map(exact));
      expect(rows.filter((row, i) => Math.abs(row.lastActivity - records[i]!.lastActivity) >= 60_000)).toEqual([]);

      const stream = await watch.xrange(`{${stack.prefix}:0}:events`, '-', '+');
      const events = await database.ask<Record<string, string | Date | null>>('select * from session_events');
      const inLedger = events.map((event) =>
        [event.id, event.uuid, (event.at as Date).getTime(), event.from_status ?? '', event.to_status, event.cause].join(' '),
      );
      const inRedis = stream.map(([id, flat]) => {
        const of = (name: string) => flat[flat.indexOf(name) + 1];
        return [`0-${id}`, of('uuid'), of('at'), of('from'), of('to'), of('cause')].join(' ');
      });
      expect(inLedger.toSorted()).toEqual(inRedis.toSorted());
      expect(kills).toBeGreaterThan(3);
      console.log(`${server.kind}: ${rows.length} sessions, ${events.length} events, ${kills} workers killed`);
      await ledger.close();
      watch.disconnect();
    }, 150_000);
  });
});
