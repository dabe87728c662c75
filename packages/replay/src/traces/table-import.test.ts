import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRows } from './csv-rows.ts';
import { ndjsonRows } from './ndjson-rows.ts';
import { LONGEST_ROW, type TableColumns, TableImport, type TableRow } from './table-import.ts';
import { parseZone } from './zone.ts';

const COLUMNS: TableColumns = { session: 'chat', at: 'sent', kind: 'role' };
const NO_KIND: TableColumns = { ...COLUMNS, kind: null };

/** Yields a text in chunks that may end within a row or a character. */
async function* inChunks(text: string, size = 5) {
  const bytes = new TextEncoder().encode(text);
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function* inBatches(text: string) {
  for (const line of text.split('\n')) yield [line];
}

async function all(rows: AsyncIterable<TableRow[]>): Promise<TableRow[]> {
  const found: TableRow[] = [];
  for await (const some of rows) found.push(...some);
  return found;
}

const csv = (text: string, columns = NO_KIND, size?: number) => all(csvRows(inChunks(text, size), columns));
const ndjson = (text: string, columns = NO_KIND) => all(ndjsonRows(inBatches(text), columns));

describe('csv', () => {
  it.each([1, 3, 10_000])('quotes as RFC 4180 has them, in chunks of %d bytes', async (size) => {
    const text = '\ufefftext,chat,"sent",role\r\n"one, ""quoted""\r\nand été",a,1,user\r\n\r\nplain,"b,1",2,\r\n,c,3,"x\ny"\n';
    expect(await csv(text, COLUMNS, size)).toEqual([
      { line: 3, session: 'a', at: '1', kind: 'user' },
      { line: 5, session: 'b,1', at: '2', kind: '' },
      { line: 7, session: 'c', at: '3', kind: 'x\ny' },
    ]);
  });

  it('reads what a writer of RFC 4180 writes', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', ' ', 'é', ';', '😀'), maxLength: 6 });
    const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, field), { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), async (rows, size) => {
        const text = ['id,chat,sent', ...rows.map(([chat, sent]) => `x,${quoted(chat)},${quoted(sent)}`)]
          .map((row) => `${row}\r\n`)
          .join('');
        expect((await csv(text, NO_KIND, size)).map(({ session, at }) => [session, at])).toEqual(rows);
      }),
      { numRuns: 200 },
    );
  });

  it('a row with another number of fields is malformed, and the others are read', async () => {
    expect(await csv('chat,sent\na\nb,1,2\nc,3')).toEqual([
      { line: 2, malformed: true },
      { line: 3, malformed: true },
      { line: 4, session: 'c', at: '3', kind: undefined },
    ]);
  });

  it.each([
    ['', 'there is no header line'],
    ['chat;sent\na;1', 'there is no column "chat" (--session); the columns are "chat;sent"'],
    ['chat,at\na,1', 'there is no column "sent" (--at); the columns are "chat", "at"'],
    ['chat,sent\na,1', 'there is no column "role" (--kind); the columns are "chat", "sent"'],
    ['chat,sent,role,chat\na,1,user,b', 'there is more than one column "chat" (--session)'],
    ['chat,sent,role\na,1,user\nb,"2\n,user\n', 'the row after line 2 is not CSV as RFC 4180 has it: quote not closed'],
    ['chat,sent,role\na,"1"2,user\n', 'the row after line 1 is not CSV as RFC 4180 has it: invalid closing quote at line 2'],
    ['chat,sent,role\na,"1 \\"2\\"",user\n', 'invalid closing quote at line 2'],
    ['chat,sent,role\na,1"2,user\n', 'invalid opening quote at line 2'],
  ])('%j is refused: %s', async (text, says) => {
    await expect(csv(text, COLUMNS)).rejects.toThrow(says);
    await expect(csv(text, COLUMNS, 10_000)).rejects.toMatchObject({ name: 'BadTable' });
  });

  it('a row that is too long is refused, so that an unclosed quote does not fill the memory', async () => {
    async function* endless() {
      yield new TextEncoder().encode('chat,sent\na,"');
      for (;;) yield new Uint8Array(1 << 20).fill(120);
    }
    await expect(all(csvRows(endless(), NO_KIND))).rejects.toThrow('the row after line 1 is not CSV as RFC 4180 has it: max record size');
  });

  it('a header alone is an empty table', async () => {
    expect(await csv('chat,sent\n')).toEqual([]);
  });
});

describe('ndjson', () => {
  it('takes fields by name or by path', async () => {
    const text = [
      '\ufeff{"chat":"a","sent":1}',
      '',
      '{"chat":"b","sent":"2","note":{"chat":"no"}}',
      '{"sent":3}',
      '[]',
      '{"chat"',
      'null',
      '{"chat":null,"sent":{}}\r',
    ].join('\n');
    expect(await ndjson(text)).toEqual([
      { line: 1, session: 'a', at: 1 },
      { line: 3, session: 'b', at: '2' },
      { line: 4, session: undefined, at: 3 },
      { line: 5, malformed: true },
      { line: 6, malformed: true },
      { line: 7, malformed: true },
      { line: 8, session: null, at: {} },
    ]);
    const paths = { session: 'chat.id', at: 'at.$date', kind: 'a.b.c' };
    expect(
      await ndjson('{"chat":{"id":"x"},"at":{"$date":1},"a":{"b":{"c":"user"}}}\n{"chat.id":"y","at":{"$date":2},"a":7}', paths),
    ).toEqual([
      { line: 1, session: 'x', at: 1, kind: 'user' },
      { line: 2, session: 'y', at: 2, kind: undefined },
    ]);
  });

  it('reads ids beyond the exact numbers of JavaScript to the last digit', async () => {
    const rows = await ndjson('{"chat":1767603600123456789,"sent":1}\n{"chat":1767603600123456790,"sent":1767603600123456}');
    expect(rows).toMatchObject([{ session: 1767603600123456789n }, { session: 1767603600123456790n, at: 1_767_603_600_123_456 }]);
  });

  it.each([
    [{ ...NO_KIND, session: 'id' }, 'no line has a field "id" (--session); the first row has "chat", "sent", "author.role"'],
    [{ ...NO_KIND, at: '__proto__.x' }, 'no line has a field "__proto__.x" (--at)'],
    [{ ...NO_KIND, kind: 'author.name' }, 'no line has a field "author.name" (--kind)'],
  ])('a field that no line has is refused: %o', async (columns, says) => {
    await expect(ndjson('{"chat":"a","sent":1,"author":{"role":"user"}}', columns)).rejects.toThrow(says);
  });

  it('a line that is too long is malformed', async () => {
    expect(await ndjson(`{"chat":"a","sent":1}\n{"chat":"${'x'.repeat(LONGEST_ROW)}","sent":1}`)).toMatchObject([
      { session: 'a' },
      { malformed: true },
    ]);
  });

  it('nothing is an empty table', async () => {
    expect(await ndjson('\n')).toEqual([]);
  });
});

describe('rows become events', () => {
  const AT = '2026-01-05T09:00:00Z';
  const importOf = (zone: string | null = null, hash = false) =>
    new TableImport({ columns: COLUMNS, zone: zone === null ? null : parseZone(zone, 'x'), hash });

  it.each([
    ['user', 'user'],
    ['Human ', 'user'],
    ['', 'user'],
    [undefined, 'user'],
    [null, 'user'],
    ['background', 'background'],
    ['ASSISTANT', 'background'],
    ['tool', 'background'],
  ])('of the kind %j: %s', (kind, event) => {
    expect(importOf().take({ line: 2, session: 'a', at: AT, kind })).toEqual({ uuid: 'a', at: Date.parse(AT), event });
  });

  it('of which each that is left out is counted by its reason, with the first line', () => {
    const table = importOf();
    const rows: TableRow[] = [
      { line: 2, malformed: true },
      { line: 3, session: '', at: AT },
      { line: 4, session: null, at: AT },
      { line: 5, session: { id: 1 }, at: AT },
      { line: 6, session: 'ada@example.com', at: AT },
      { line: 7, session: 'a', at: 'yesterday' },
      { line: 8, session: 'a' },
      { line: 9, session: 'a', at: AT, kind: 'moderator' },
      { line: 10, session: 'a', at: AT, kind: 'constructor' },
      { line: 11, session: 7, at: AT },
    ];
    expect(rows.map((row) => table.take(row)?.uuid ?? null)).toEqual([...Array(9).fill(null), '7']);
    expect(table).toMatchObject({ rows: 10, events: 1 });
    expect(table.skipped).toEqual({
      malformed: { count: 1, firstLine: 2 },
      'no-session': { count: 3, firstLine: 3 },
      'no-uuid': { count: 1, firstLine: 6 },
      'no-time': { count: 2, firstLine: 7 },
      'other-kind': { count: 2, firstLine: 9 },
    });
  });

  it('with --hash, of any name', () => {
    const [one, other] = ['ada@example.com', 'x'.repeat(500)].map(
      (session) => importOf(null, true).take({ line: 2, session, at: AT })!.uuid,
    );
    expect([one, other].every((uuid) => /^[0-9a-f]{16}$/.test(uuid!))).toBe(true);
    expect(one).not.toBe(other);
  });

  it('a time without a zone is refused by the name of its column, or is in the zone that is given', () => {
    const row = { line: 7, session: 'a', at: '2026-01-05 09:00:00' };
    expect(() => importOf().take(row)).toThrow('line 7: sent (--at) is "2026-01-05 09:00:00", a time without a zone; name it with --zone');
    expect(importOf('Europe/Berlin').take(row)!.at).toBe(Date.parse('2026-01-05T08:00:00Z'));
  });
});
