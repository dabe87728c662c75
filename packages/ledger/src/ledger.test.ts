import { randomUUID } from 'node:crypto';
import { PolicySet, type SessionRecord } from '@sandman/core';
import { findDatabase, lacks, type TestDatabase } from '@sandman/sandbox';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ledger } from './ledger.ts';
import { type LedgerEvent, type LedgerSession, sessionOf } from './rows.ts';

const servers = await Promise.all([findDatabase('postgres'), findDatabase('mysql')]);

const session: LedgerSession = {
  uuid: 'abcd1234',
  userId: 'ada \u{1F600}',
  workspaceUrl: 'https://x.example',
  status: 'active',
  createdAt: 1_700_000_000_123,
  lastActivity: 1_700_000_001_000,
  sleptAt: 0,
  policy: 'balanced',
  keepUntil: 0,
  updatedAt: 1_700_000_002_000,
  rev: 5,
};
/** Returns a time (ms) as both databases read it, without a zone. */
const sqlTime = (ms: number) => new Date(ms).toISOString().slice(0, -1).replace('T', ' ');
const event = (place: string, change: Partial<LedgerEvent> = {}): LedgerEvent => ({
  id: `0-${place}`,
  uuid: session.uuid,
  userId: session.userId,
  at: 1_700_000_000_123,
  from: '',
  to: 'active',
  cause: 'created',
  lastActivity: 0,
  ...change,
});

describe.each(servers)('on $kind', (server) => {
  describe.skipIf(lacks(server.kind, server.remedy))('the ledger', () => {
    let database: TestDatabase;
    let ledger: Ledger;

    const count = async (table: string) => Number((await database.ask<{ n: string }>(`select count(*) as n from ${table}`))[0]!.n);

    beforeEach(async () => {
      database = await server.create();
      ledger = new Ledger(database.url);
    });
    afterEach(async () => {
      await ledger.close();
      await database.drop();
    });
    afterAll(() => server.stop());

    describe('made anew', () => {
      beforeEach(() => ledger.migrate());

      it('gives back what it was told, whatever letters and policies', async () => {
        const custom = { sleepAfter: '10m', deleteAfter: 'never', backgroundCap: '4h' };
        const other = {
          ...session,
          uuid: session.uuid.toUpperCase(),
          userId: 'x'.repeat(255),
          policy: custom,
          sleptAt: 1_700_000_003_001,
          keepUntil: 2_000_000_000_001,
        };
        await ledger.write({ sessions: [session, other] });
        expect(await ledger.sessions('', 10)).toEqual([other, session]);
        expect(await ledger.sessions(other.uuid, 10)).toEqual([session]);
        expect(await ledger.sessions('', 1)).toEqual([other]);
      });

      it('an older reading changes nothing, whatever its order; of one millisecond the higher rev is the newer', async () => {
        const newest = { ...session, status: 'sleeping', updatedAt: session.updatedAt + 1, rev: 7 } as const;
        const readings = [
          session,
          { ...session, status: 'waking', rev: 99 } as const,
          newest,
          { ...newest, status: 'falling-asleep', rev: 6 } as const,
        ];
        for (const order of [readings, readings.toReversed()]) {
          for (const reading of order) await ledger.write({ sessions: [reading] });
          expect(await ledger.sessions('', 10)).toEqual([newest]);
        }
      });

      it('a uuid that comes back with a rev that begins anew is a new row’s worth of news', async () => {
        await ledger.write({ sessions: [{ ...session, status: 'deleted', rev: 40 }] });
        const again = { ...session, createdAt: session.updatedAt + 90_000_000, updatedAt: session.updatedAt + 90_000_001, rev: 1 };
        await ledger.write({ sessions: [again] });
        expect(await ledger.sessions('', 10)).toEqual([again]);
      });

      it('an event is written once, however often and in whatever batch it comes', async () => {
        const events = [event('1-0'), event('2-0', { from: 'active', to: 'falling-asleep', cause: 'idle' }), event('2-1')];
        await ledger.write({ sessions: [session], events });
        await ledger.write({ sessions: [session], events: events.toReversed() });
        await Promise.all(Array.from({ length: 8 }, () => ledger.write({ sessions: [session], events: [...events, event('3-0')] })));
        expect(await count('session_events')).toBe(4);
      });

      it('writes all or nothing', async () => {
        await expect(ledger.write({ sessions: [session], events: [event('1-0', { cause: 'x'.repeat(300) })] })).rejects.toThrow();
        expect(await ledger.sessions('', 10)).toEqual([]);
      });

      it('writers who meet in any order all come through', async () => {
        const many = Array.from({ length: 100 }, (_, i) => ({ ...session, uuid: `s${i}` }));
        const shuffled = (step: number) => many.map((_, i) => ({ ...many[(i * step) % 100]!, updatedAt: session.updatedAt + step }));
        await Promise.all([1, 3, 7, 9, 11, 13].map((step) => ledger.write({ sessions: shuffled(step) })));
        const rows = await ledger.sessions('', 1_000);
        expect(rows.map(({ updatedAt }) => updatedAt - session.updatedAt)).toEqual(Array(100).fill(13));
      });

      it('where only events tell of a session they give its status, and leave what they do not know', async () => {
        const { uuid, userId } = session;
        const withoutRecord = new Set([uuid, 'unheard']);
        const at = session.updatedAt + 1_000;
        await ledger.write({ sessions: [session] });
        const gone = event('9-0', { at, from: 'deleting', to: 'deleted', cause: 'manual', lastActivity: at - 500 });
        await ledger.write({ sessions: [], withoutRecord, events: [event('1-0'), gone, { ...gone, id: '0-9-1', uuid: 'unheard' }] });
        expect(await ledger.find([uuid])).toEqual([
          { ...session, status: 'deleted', createdAt: event('').at, lastActivity: at - 500, updatedAt: at, rev: 0 },
        ]);
        expect(await ledger.find(['unheard'])).toMatchObject([{ userId, status: 'deleted', workspaceUrl: '', policy: '', updatedAt: at }]);
      });

      it('corrects rows that are off, and lets a minute of activity pass', async () => {
        const later = (ms: number) => ({ ...session, lastActivity: session.lastActivity + ms, updatedAt: session.updatedAt + ms, rev: 6 });
        expect(await ledger.correct([session, { ...session, uuid: 'missing' }])).toBe(2);
        expect(await ledger.correct([later(59_999)])).toBe(0);
        expect(await ledger.correct([later(60_000)])).toBe(1);
        expect(await ledger.correct([{ ...later(60_001), policy: 'simple' }])).toBe(1);
        // A correction with an older reading changes nothing: another writer was newer.
        await ledger.correct([session]);
        expect(await ledger.find([session.uuid])).toEqual([{ ...later(60_001), policy: 'simple' }]);
      });

      it('corrects a row whose keep began, was moved or ended', async () => {
        await ledger.write({ sessions: [session] });
        const reading = (keepUntil: number, ms: number) => ({ ...session, keepUntil, updatedAt: session.updatedAt + ms });
        expect(await ledger.correct([reading(2_000_000_000_001, 1)])).toBe(1);
        expect(await ledger.correct([reading(2_000_000_000_001, 2)])).toBe(0);
        expect(await ledger.correct([reading(2_000_000_000_002, 3)])).toBe(1);
        expect(await ledger.find([session.uuid])).toEqual([reading(2_000_000_000_002, 3)]);
        expect(await ledger.correct([reading(0, 4)])).toBe(1);
        expect(await ledger.find([session.uuid])).toEqual([reading(0, 4)]);
        expect(await database.ask('select keep_until from user_sessions')).toEqual([{ keep_until: null }]);
      });

      it('an event without a record leaves the keep as it was', async () => {
        const kept = { ...session, keepUntil: 2_000_000_000_001 };
        await ledger.write({ sessions: [kept] });
        const asleep = event('9-0', { at: session.updatedAt + 1, from: 'falling-asleep', to: 'sleeping', cause: 'idle' });
        await ledger.write({ sessions: [], withoutRecord: new Set([session.uuid]), events: [asleep] });
        expect(await ledger.find([session.uuid])).toMatchObject([{ status: 'sleeping', keepUntil: kept.keepUntil }]);
      });

      it('a worker of a version before the keep writes rows beside this one, and leaves the keeps', async () => {
        const kept = { ...session, keepUntil: 2_000_000_000_001 };
        await ledger.write({ sessions: [kept] });
        const at = (ms: number) => (server.kind === 'mysql' ? `'${sqlTime(ms)}'` : `'${sqlTime(ms)}Z'`);
        const [columns, values] = [
          'uuid, user_id, workspace_url, status, created_at, last_activity, slept_at, policy, rev, updated_at',
          (uuid: string) => `'${uuid}', 'ada', '', 'sleeping', ${at(1)}, ${at(2)}, null, 'balanced', 6, ${at(kept.updatedAt + 1)}`,
        ];
        const update =
          server.kind === 'mysql'
            ? 'on duplicate key update status = values(status), rev = values(rev), updated_at = values(updated_at)'
            : 'on conflict (uuid) do update set status = excluded.status, rev = excluded.rev, updated_at = excluded.updated_at';
        await database.ask(`insert into user_sessions (${columns}) values (${values(kept.uuid)}), (${values('new')}) ${update}`);
        expect(await ledger.sessions('', 10)).toMatchObject([
          { uuid: kept.uuid, status: 'sleeping', keepUntil: kept.keepUntil },
          { uuid: 'new', keepUntil: 0 },
        ]);
      });

      it('forgets events from before a time, the oldest first, so many at once', async () => {
        const events = Array.from({ length: 25 }, (_, i) => event(`${i}-0`, { at: 1_700_000_000_000 + i }));
        await ledger.write({ sessions: [session], events });
        const removed = [];
        for (let left = 10; left === 10; removed.push(left)) left = await ledger.forget(1_700_000_000_023, 10);
        expect(removed).toEqual([10, 10, 3]);
        expect(await count('session_events')).toBe(2);
        expect(await ledger.sessions('', 10)).toHaveLength(1);
      });
    });

    it('tables are made once, by however many at once', async () => {
      const others = Array.from({ length: 5 }, () => new Ledger(database.url));
      await Promise.all([ledger, ...others].map((one) => one.migrate()));
      await ledger.write({ sessions: [session] });
      await Promise.all(others.map((one) => one.migrate()));
      expect(await ledger.sessions('', 10)).toEqual([session]);
      await Promise.all(others.map((one) => one.close()));
    });

    it.each(['1-tables', '2-readings'])('tables of an older version (%s) get what is new, and keep their rows', async (last) => {
      await ledger.migrate(last);
      const at = server.kind === 'mysql' ? "'2026-01-02 03:04:05.678'" : "'2026-01-02T03:04:05.678Z'";
      await database.ask(`insert into user_sessions (uuid, user_id, workspace_url, status, created_at, last_activity, policy, updated_at)
        values ('old', 'ada', '', 'sleeping', ${at}, ${at}, 'balanced', ${at})`);
      await database.ask(`insert into session_events (id, uuid, at, to_status, cause) values ('0-1-0', 'old', ${at}, 'active', 'created')`);
      const ms = Date.parse('2026-01-02T03:04:05.678Z');
      await ledger.migrate();
      expect(await ledger.sessions('', 10)).toMatchObject([
        { uuid: 'old', updatedAt: ms, lastActivity: ms, sleptAt: 0, keepUntil: 0, rev: 0 },
      ]);
      const now = { ...session, uuid: 'old', keepUntil: ms + 90_000, updatedAt: ms + 1 };
      await ledger.write({ sessions: [now], events: [event('2-0', { uuid: 'old' })] });
      expect(await ledger.sessions('', 10)).toEqual([now]);
      expect(await count('session_events')).toBe(2);
    });

    it('a migration that was cut short runs again', async () => {
      await ledger.migrate();
      await database.ask(`delete from sandman_migrations where name <> '0'`);
      await ledger.migrate();
      expect(await count('sandman_migrations')).toBe(3);
    });

    it('another application’s table of the same name is an error that names it, and nothing is made', async () => {
      await database.ask('create table user_sessions (id varchar(20) primary key, user_id varchar(20), token varchar(20))');
      await expect(ledger.migrate()).rejects.toThrow(
        /^DATABASE_URL must be .*: its table user_sessions is not the ledger's, it has no uuid, workspace_url, /,
      );
      const { length } = await database.ask(`select 1 from information_schema.tables where table_name = 'session_events'
        and table_schema = ${server.kind === 'mysql' ? 'database()' : 'current_schema()'}`);
      expect(length).toBe(0);
    });

    it('a table that is gone is an error that tells so', async () => {
      await ledger.migrate();
      await database.ask('drop table session_events');
      await expect(ledger.migrate()).rejects.toThrow(/^DATABASE_URL must be .*: a table or a column of the ledger is missing$/);
    });

    // Not on PGlite: it has one login, and an option applies to all of its connections.
    if (server.kind === 'postgres' && !server.own)
      it('two ledgers in two schemas of one database keep apart, whatever chooses the schema', async () => {
        await database.ask('create schema other');
        const url = new URL(database.url);
        url.searchParams.set('options', '-c search_path=other,public');
        const other = new Ledger(url.href);
        try {
          await ledger.migrate();
          await ledger.write({ sessions: [session] });
          await other.migrate();
          await other.write({ sessions: [{ ...session, userId: 'grace' }], events: [event('1-0')] });
          expect(await ledger.sessions('', 10)).toEqual([session]);
          expect(await other.sessions('', 10)).toMatchObject([{ userId: 'grace' }]);
          expect(await count('session_events')).toBe(0);
          url.searchParams.set('options', '-c search_path=nowhere');
          const nowhere = new Ledger(url.href);
          await expect(nowhere.migrate()).rejects.toThrow(/^DATABASE_URL must be .*: its search_path names no schema that exists$/);
          await nowhere.close();
        } finally {
          await other.close();
        }
      });

    if (!server.own)
      describe('with a login of few rights', () => {
        const role = `few_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
        const name = server.kind === 'mysql' ? `${role}@'%'` : role;
        const login = server.kind === 'mysql' ? `create user ${name} identified by 'pw'` : `create role ${role} login password 'pw'`;
        let few: Ledger;

        beforeEach(async () => {
          await database.ask(login);
          const url = new URL(database.url);
          Object.assign(url, { username: role, password: 'pw' });
          few = new Ledger(url.href);
        });
        afterEach(async () => {
          await few.close();
          if (server.kind === 'postgres') await database.ask(`drop owned by ${role}`);
          await database.ask(server.kind === 'mysql' ? `drop user ${name}` : `drop role ${role}`);
        });

        const onDatabase = (right: string) => `grant ${right} on ${new URL(database.url).pathname.slice(1)}.* to ${name}`;

        it('one that may not make tables is told so', async () => {
          await database.ask(server.kind === 'mysql' ? onDatabase('select') : 'revoke create on schema public from public');
          await expect(few.migrate()).rejects.toThrow(/^DATABASE_URL must be .*: the login may not [a-z ,]*make[a-z ,]* tables( there)?$/);
        });

        it('one that may only read what is there is told so', async () => {
          await ledger.migrate();
          await database.ask(server.kind === 'mysql' ? onDatabase('select') : `grant select on all tables in schema public to ${role}`);
          await expect(few.migrate()).rejects.toThrow(/^DATABASE_URL must be .*: the login may not make, read or write the tables$/);
        });

        if (server.kind === 'postgres')
          it('one that is read-only is waited for, as a standby is in a failover', async () => {
            await database.ask(`alter role ${role} set default_transaction_read_only = on`);
            await database.ask(`grant all on schema public to ${role}`);
            await expect(few.migrate()).rejects.toMatchObject({ code: '25006' });
          });

        if (server.kind === 'postgres')
          it('one whose search_path is another schema has its tables there', async () => {
            await ledger.migrate();
            await database.ask(`create schema ${role} authorization ${role}`);
            await few.migrate();
            await few.write({ sessions: [session] });
            expect(await few.sessions('', 10)).toEqual([session]);
            expect(await ledger.sessions('', 10)).toEqual([]);
          });
      });

    it('what a newer version has added does not trouble this one', async () => {
      await ledger.migrate();
      await database.ask(`insert into sandman_migrations values ('4-of-tomorrow', '2027-01-01')`);
      await ledger.migrate();
      await ledger.check();
    });
  });
});

it('a row has the keep of its record until it is over', () => {
  const record = {
    ...session,
    policy: new PolicySet().default,
    wanted: 'awake',
    pod: 'awake',
    keepUntil: 5_000,
  } as unknown as SessionRecord;
  expect([0, 4_999, 5_000].map((now) => sessionOf({ record, now }).keepUntil)).toEqual([5_000, 5_000, 0]);
});

describe('a DATABASE_URL', () => {
  it.each(['', 'nonsense', 'oracle://x@y/z', 'postgres://', 'postgres:///name', 'mysql://root:secret@host', 'mysql://root:secret@host/'])(
    '%j is malformed',
    (url) => {
      expect(() => new Ledger(url)).toThrow(/^DATABASE_URL must be postgres:\/\/LOGIN:PASSWORD@HOST:PORT\/DATABASE or mysql:[^ ]+$/);
      expect(() => new Ledger(url)).not.toThrow('secret');
    },
  );
});
