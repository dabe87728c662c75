import { readFileSync } from 'node:fs';
import { Ledger, type LedgerEvent, type LedgerSession } from '@sandman/ledger';
import { type DatabaseServer, findDatabase, lacks, type TestDatabase } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const servers = await Promise.all([findDatabase('postgres'), findDatabase('mysql')]);

/** Returns the queries of docs/ledger.md by their headings, in the dialect `kind` where there are two. */
function questions(kind: string): Map<string, string> {
  const doc = readFileSync(new URL('../docs/ledger.md', import.meta.url), 'utf8');
  const found = new Map<string, string>();
  for (const section of doc.split('\n### ').slice(1)) {
    for (const [, form, text] of section.matchAll(/```sql ?(\w*)\n([\s\S]*?)```/g)) {
      if (form === '' || form === kind) found.set(section.split('\n', 1)[0]!, text!.trim().replace(/;$/, ''));
    }
  }
  return found;
}

const at = (text: string) => Date.parse(`${text}Z`);
const session = (uuid: string, userId: string, change: Partial<LedgerSession>): LedgerSession => ({
  uuid,
  userId,
  workspaceUrl: '',
  status: 'active',
  createdAt: at('2026-01-31T22:00:00'),
  lastActivity: at('2026-03-01T00:00:00'),
  sleptAt: 0,
  policy: 'balanced',
  keepUntil: 0,
  updatedAt: at('2026-03-02T00:00:00'),
  rev: 1,
  ...change,
});
let place = 0;
const life = (uuid: string, ...changes: [time: string, to: LedgerEvent['to'], cause: string][]): LedgerEvent[] =>
  changes.map(([time, to, cause], i) => ({
    id: `0-${++place}-0`,
    uuid,
    userId: '',
    at: at(time),
    from: changes[i - 1]?.[1] ?? '',
    to,
    cause,
    lastActivity: 0,
  }));

/** ada's pod runs across the end of a month, and is woken right after a sleep and once more. grace's sleeps to the end. alan's runs. */
const SESSIONS = [
  session('abcd1234', 'ada', { status: 'deleted', sleptAt: at('2026-02-10T12:00:00') }),
  session('bbbb1234', 'grace', { status: 'sleeping', sleptAt: at('2026-02-01T01:30:00'), policy: 'simple' }),
  session('cccc1234', 'alan', { status: 'active' }),
];
const now = new Date(Date.now() - 3_600_000).toISOString().slice(0, 23);
const EVENTS = [
  ...life(
    'abcd1234',
    ['2026-01-31T22:00:00', 'active', 'created'],
    ['2026-02-01T01:00:00', 'falling-asleep', 'idle'],
    ['2026-02-01T01:15:00', 'sleeping', 'idle'],
    ['2026-02-01T01:19:00', 'waking', 'activity'],
    ['2026-02-01T01:20:00', 'active', 'activity'],
    ['2026-02-01T02:19:00', 'sleeping', 'idle'],
    ['2026-02-10T10:00:00', 'waking', 'activity'],
    ['2026-02-10T12:00:00', 'sleeping', 'manual'],
    ['2026-02-11T00:00:00', 'deleted', 'logout'],
  ),
  ...life('bbbb1234', ['2026-02-01T01:00:00', 'active', 'created'], ['2026-02-01T01:30:00', 'sleeping', 'idle']),
  ...life('cccc1234', [now, 'active', 'created']),
];

/** Alan's hour lasts until the question is asked, and so it has become longer. */
const UNTIL_NOW: number = expect.closeTo(1, 1);

const EXPECTED: Record<string, unknown[]> = {
  'Cost per user per month': [
    // 01:15 of the first day, one hour after the wake, and two hours on the tenth.
    { user_id: 'ada', month: '2026-02', hours: 4.25 },
    { user_id: 'ada', month: '2026-01', hours: 2 },
    { user_id: 'alan', month: now.slice(0, 7), hours: UNTIL_NOW },
    { user_id: 'grace', month: '2026-02', hours: 0.5 },
  ],
  'Sessions never woken': [{ uuid: 'bbbb1234', user_id: 'grace', policy: 'simple', slept_at: '2026-02-01T01:30:00.000Z' }],
  'Longest awake': [
    { uuid: 'cccc1234', user_id: 'alan', policy: 'balanced', awake_since: `${now}Z`, last_activity: '2026-03-01T00:00:00.000Z' },
  ],
  'What ended sessions': [{ cause: 'logout', sessions: 1 }],
  'Sleeps that were regretted, by policy': [
    { policy: 'balanced', sleeps: 2, regrets: 1 },
    { policy: 'simple', sleeps: 1, regrets: 0 },
  ],
  "One session's life": EVENTS.slice(0, 9).map(({ at, from, to, cause }) => ({
    at: new Date(at).toISOString(),
    from_status: from || null,
    to_status: to,
    cause,
  })),
};

describe.each<DatabaseServer>(servers)('on $kind', (server) => {
  describe.skipIf(lacks(server.kind, server.remedy))('a question of docs/ledger.md', () => {
    let database: TestDatabase;
    const asked = questions(server.kind);

    beforeAll(async () => {
      database = await server.create();
      const ledger = new Ledger(database.url);
      await ledger.migrate();
      await ledger.write({ sessions: SESSIONS, events: EVENTS });
      await ledger.close();
    });
    afterAll(async () => {
      await database?.drop();
      await server.stop();
    });

    it('is one of those that are tested', () => {
      expect([...asked.keys()].toSorted()).toEqual(Object.keys(EXPECTED).toSorted());
    });

    it.each(Object.keys(EXPECTED))('%s', async (question) => {
      const rows = await database.ask<Record<string, unknown>>(asked.get(question)!);
      const numeric = (value: unknown) => (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value);
      const plain = (row: object) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, numeric(value)]));
      expect(JSON.parse(JSON.stringify(rows.map(plain)))).toEqual(EXPECTED[question]);
    });
  });
});
