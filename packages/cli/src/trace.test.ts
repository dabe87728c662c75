import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { formatDuration } from '@sandman/core';
import { WORKLOADS, type Workload } from '@sandman/replay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, type CommandResult, startProgram } from './cli.fixture.ts';
import type { ProcessIo } from './output.ts';
import { runCommandLine } from './program.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandman-trace-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Runs `sandman trace` in this process, without an API key, because it calls no API. */
async function trace(args: readonly string[], input: string | Buffer[] = ''): Promise<CommandResult> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io = {
    env: {},
    stdin: Readable.from(typeof input === 'string' ? [input] : input, { objectMode: false }),
    stdout,
    stderr,
  };
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await runCommandLine(['trace', ...args], io as unknown as ProcessIo);
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, stdout: out, stderr: err };
}

const request = (session: string, second: number, status = 200) =>
  `2001:db8::1 - - [05/Jan/2026:09:00:${String(second).padStart(2, '0')} +0100] "POST /chat/${session}/message HTTP/2.0" ${status} 1 "-" "é"`;
const event = (uuid: string, second: number) => `{"uuid":"${uuid}","at":"2026-01-05T08:00:${String(second).padStart(2, '0')}.000Z"}\n`;
const TABLE = ['--session', 'chat', '--at', 'sent'];
const FROM_PATH = ['--session-from', 'path:/chat/:session/message'];

describe('wrong arguments end with one line on stderr and exit code 2', () => {
  it.each([
    ['an unknown workload', ['generate', '--workload', 'games'], 'Allowed choices are chat, assistant, support, coding'],
    ['no sessions', ['generate', '--sessions', '0'], 'whole number from 1 to 10000000'],
    ['too many days', ['generate', '--days', '367'], 'whole number from 1 to 366'],
    ['a start before 1970', ['generate', '--start', '1969-12-31T00:00Z'], 'must be after 1970'],
    ['a negative seed', ['generate', '--seed', '-1'], 'whole number from 0 to 4294967295'],
    ['a gap with an unknown unit', ['generate', '--gap-median', '2 minutes'], 'must be a duration such as'],
    ['a spread beyond 4', ['generate', '--gap-sigma', '5'], 'number from 0 to 4'],
    ['a share without a number', ['generate', '--logouts', 'few'], 'from 0% to 100%'],
    ['a share above 100%', ['generate', '--tabs', '101%'], 'from 0% to 100%'],
    ['a file for generate', ['generate', 'x.ndjson'], 'too many arguments'],
    ['no file', ['import', '--session-from', 'user'], "missing required argument 'file'"],
    ['no --session-from', ['import', '-'], "required option '--session-from <where>' not specified"],
    ['a header', ['import', '-', '--session-from', 'header:X-Session'], 'these logs hold no other headers'],
    ['an invalid pattern', ['import', '-', '--session-from', 'regex:('], 'no regular expression'],
    ['an unknown format', ['import', '-', ...FROM_PATH, '--format', 'w3c'], 'Allowed choices are combined, common, csv, ndjson'],
    ['a table without --session', ['import', '-', '--format', 'csv', '--at', 'at'], "required option '--session <column>' not specified"],
    ['a table without --at', ['import', '-', '--format', 'ndjson', '--session', 'id'], "required option '--at <column>' not specified"],
    [
      'a table with --session-from',
      ['import', '-', ...FROM_PATH, '--format', 'csv', '--session', 'a', '--at', 'b'],
      "'--session-from <where>' is for",
    ],
    ['a table with --only-status', ['import', '-', '--only-status', '2xx', ...TABLE, '--format', 'csv'], "'--only-status <list>' is for"],
    [
      'a log with --zone',
      ['import', '-', ...FROM_PATH, '--zone', 'UTC'],
      "option '--zone <zone>' is for --format csv and ndjson, not combined",
    ],
    ['a log with --session', ['import', '-', '--session', 'id'], "option '--session <column>' is for --format csv and ndjson"],
    ['an unknown zone', ['import', '-', ...TABLE, '--format', 'csv', '--zone', 'Mars'], 'a time zone such as UTC, Europe/Berlin'],
    ['a column without a name', ['import', '-', '--format', 'csv', '--session', '', '--at', 'at'], 'the name of a column'],
    ['no trace to measure', ['measure'], "missing required argument 'trace'"],
    ['an invalid status', ['import', '-', ...FROM_PATH, '--only-status', 'ok'], 'statuses such as 2xx'],
    ['an invalid background path', ['import', '-', ...FROM_PATH, '--background', 'poll'], 'beginning of a path'],
    ['an unknown subcommand', ['collect'], "unknown command 'collect'"],
  ] as [string, string[], string][])('%s', async (_, args, says) => {
    const { code, stdout, stderr } = await trace(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^sandman: .+\n$/);
    expect(stderr).toContain(says);
  });

  it('import with an --output that would overwrite its log', async () => {
    const log = join(folder, 'same.log');
    await writeFile(log, request('a', 1));
    const { code, stderr } = await trace(['import', log, ...FROM_PATH, '-o', join(folder, '.', 'same.log')]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `sandman: --output would overwrite ${log}\n` });
    expect(await readFile(log, 'utf8')).toBe(request('a', 1));
  });
});

it.each(['generate', 'import', 'measure'])('trace %s --help has examples', async (name) => {
  const { code, stdout } = await trace([name, '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/\nExamples?:\n {2}\S/);
});

it('the docs have the figures of every workload', async () => {
  const docs = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  const width = ({ median, sigma }: Workload['gap']) => `${formatDuration(median)} (${sigma})`;
  for (const [name, workload] of Object.entries<Workload>(WORKLOADS)) {
    const { life, returns, weekend, visits, single, messages, gap, logouts, tabs, tabStays } = workload;
    const habits = [life, percent(returns), percent(weekend), visits, percent(single), messages, width(gap), percent(logouts)];
    const row = docs.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    expect(row).toContain(` | ${[...habits, `${percent(tabs)}, ${width(tabStays)}`].join(' | ')} |`);
  }
});

describe('generate', () => {
  it('writes the same trace to a file as to stdout, and nothing else', async () => {
    const path = join(folder, 'made.ndjson');
    const made = await trace(['generate', '--sessions', '300']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(await trace(['generate', '--sessions', '300', '--seed', '1', '--output', path])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(path, 'utf8')).toBe(made.stdout);
    expect((await trace(['generate', '--sessions', '300', '--seed', '2'])).stdout).not.toBe(made.stdout);
  });

  it('follows its options', async () => {
    const args = [
      '--days',
      '2',
      '--start',
      '2026-03-01T12:00Z',
      '--logouts',
      '100%',
      '--tabs',
      '0%',
      '--gap-median',
      '1s',
      '--gap-sigma',
      '0',
    ];
    const lines = (await trace(['generate', '--workload', 'support', '--sessions', '100', ...args])).stdout.trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line));
    expect(new Set(events.map(({ uuid }) => uuid)).size).toBe(100);
    expect(events.some(({ kind }) => kind)).toBe(false);
    expect(events.filter(({ event }) => event === 'logout').length).toBeGreaterThan(90);
    const times = events.map(({ at }) => at).sort();
    expect(times[0] >= '2026-03-01T12:00:00.000Z' && times.at(-1) < '2026-03-03T12:00:00.000Z').toBe(true);
    const [first, second] = events;
    expect(Date.parse(second.at) - Date.parse(first.at)).toBe(1_000);
  });

  it('names the file that it cannot write', async () => {
    const path = join(folder, 'nowhere', 'x');
    expect(await trace(['generate', '-o', path])).toEqual({ code: 2, stdout: '', stderr: `sandman: cannot write ${path}: ENOENT\n` });
  });

  it('generate ends quietly and early when its reader closes the pipe', async () => {
    const command = `'${process.execPath}' '${CLI}' trace generate --sessions 10000000 | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await startProgram('bash', ['--norc', '-c', command], {}).ended;
    expect(stdout).toMatch(/^\{"uuid":"[0-9a-f]{8}","at":"2026-01-\S+Z"\}\n0\n$/);
    expect(stderr).toBe('');
  });
});

describe('import', () => {
  it('reads a file or standard input, and reports how many lines it took and left out', async () => {
    const log = join(folder, 'access.log');
    const lines = [request('a', 1), request('b', 2, 500), 'nonsense', request('a', 3), request('c!', 4)];
    await writeFile(log, lines.map((line) => `${line}\n`).join(''));
    const stdout = event('a', 1) + event('a', 3);
    const left = '1 malformed (the first is line 3), 1 of another status, 1 whose session is not a uuid (--hash takes any text)';
    const ended = { code: 0, stdout, stderr: `2 of 5 lines taken; left out: ${left}\n` };
    expect(await trace(['import', log, ...FROM_PATH])).toEqual(ended);
    expect(await trace(['import', '-', ...FROM_PATH], lines.join('\r\n'))).toEqual(ended);
  });

  it('gives the same result wherever chunks end', async () => {
    const bytes = Buffer.from([request('a', 1), request('b', 2), request('c', 3)].join('\r\n'));
    const chunks = [...bytes].map((byte) => Buffer.from([byte]));
    const { stdout } = await trace(['import', '-', ...FROM_PATH], chunks);
    expect(stdout).toBe(event('a', 1) + event('b', 2) + event('c', 3));
  });

  it('marks requests of any --background path as background activity', async () => {
    const log = `${request('a', 1)}\n${request('a', 2).replace('/chat/', '/beat/')}\n${request('a', 3).replace('/chat/', '/poll/')}\n`;
    const args = ['--session-from', 'path:/*/:session/message', '--background', '/beat', '--background', '/poll'];
    const { stdout } = await trace(['import', ...args, '-'], log);
    expect(stdout.split('\n').map((line) => line.includes('"kind":"background"'))).toEqual([false, true, true, false]);
  });

  it.each([
    ['every line is malformed', 'x\ny\n', '0 of 2 lines taken; left out: 2 malformed (the first is line 1): is --format right?'],
    ['none has a session', request('a', 1).replace('chat', 'talk'), 'are --session-from and --only-status right?'],
  ])('import fails if %s, and leaves --output as it was', async (_, log, says) => {
    const path = join(folder, 'kept.ndjson');
    await writeFile(path, 'kept');
    const { code, stdout, stderr } = await trace(['import', '-', ...FROM_PATH, '-o', path], log);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(says);
    expect(await readFile(path, 'utf8')).toBe('kept');
  });

  it('import ends quietly when its reader closes the pipe', async () => {
    const log = join(folder, 'long.log');
    await writeFile(log, `${request('a', 1)}\n`.repeat(30_000));
    const command = `'${process.execPath}' '${CLI}' trace import '${log}' ${FROM_PATH.join(' ')} | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await startProgram('bash', ['--norc', '-c', command], {}).ended;
    expect({ stdout, stderr }).toEqual({ stdout: `${event('a', 1)}0\n`, stderr: '' });
  });

  it('an empty log gives an empty trace', async () => {
    expect(await trace(['import', '-', ...FROM_PATH])).toEqual({ code: 0, stdout: '', stderr: '0 of 0 lines taken\n' });
  });

  it('names the file that it cannot read', async () => {
    const path = join(folder, 'none.log');
    expect(await trace(['import', path, ...FROM_PATH])).toEqual({ code: 2, stdout: '', stderr: `sandman: cannot read ${path}: ENOENT\n` });
    expect(await trace(['import', folder, ...FROM_PATH])).toMatchObject({ code: 2, stderr: `sandman: cannot read ${folder}: EISDIR\n` });
  });
});

describe('import of a table', () => {
  const CSV = ['--format', 'csv', ...TABLE];
  const rows = [
    'id,chat,sent,role,text',
    '1,a,2026-01-05 09:00:01+01,user,"hi,\n""you"""',
    '2,a,1767600003,assistant,x',
    '3,,1767600003,user,x',
  ];
  const says = '2 of 3 lines taken; left out: 1 without a session (the first is line 5)\n';
  const stdout = event('a', 1) + event('a', 3).replace('}', ',"kind":"background"}');

  it('reads csv from a file or standard input, and reports what it left out and why', async () => {
    const table = join(folder, 'messages.csv');
    await writeFile(table, rows.join('\r\n'));
    const ended = { code: 0, stdout, stderr: says };
    expect(await trace(['import', table, ...CSV, '--kind', 'role'])).toEqual(ended);
    const bytes = [...Buffer.from(rows.join('\n'))].map((byte) => Buffer.from([byte]));
    expect(await trace(['import', '-', ...CSV, '--kind', 'role'], bytes)).toEqual(ended);
    const made = join(folder, 'messages.ndjson');
    expect(await trace(['import', table, ...CSV, '--kind', 'role', '-o', made])).toEqual({ ...ended, stdout: '' });
    expect(await readFile(made, 'utf8')).toBe(stdout);
  });

  it('reads ndjson with dotted fields, which simulate can read', async () => {
    const lines = [
      '{"chat":{"id":"a"},"sent":{"at":"2026-01-05T09:00:01","ms":1}}',
      'x',
      '{"chat":{"id":"a"},"sent":{"at":1767600003000}}',
    ];
    const args = ['--format', 'ndjson', '--session', 'chat.id', '--at', 'sent.at', '--zone', 'Europe/Berlin'];
    const ended = await trace(['import', '-', ...args], lines.join('\n'));
    expect(ended).toEqual({
      code: 0,
      stdout: event('a', 1) + event('a', 3),
      stderr: '2 of 3 lines taken; left out: 1 malformed (the first is line 2)\n',
    });
    expect(JSON.parse((await trace(['measure', '--json', '-'], ended.stdout)).stdout)).toMatchObject({ sessions: 1, visits: 1 });
  });

  it.each([
    [
      'a column that is missing',
      'csv',
      'chat,at\na,1767600003',
      2,
      'standard input: there is no column "sent" (--at); the columns are "chat", "at"',
    ],
    [
      'a field that is missing',
      'ndjson',
      '{"id":"a","sent":1767600003}',
      2,
      'no line has a field "chat" (--session); the first row has "id", "sent"',
    ],
    ['no header', 'csv', '', 2, 'there is no header line'],
    // Not even the first row, which has a zone, is written.
    [
      'a time without a zone',
      'csv',
      'chat,sent\na,2026-01-05T09:00:00Z\na,2026-01-05T09:00:00\n',
      2,
      'line 3: sent (--at) is "2026-01-05T09:00:00", a time without a zone',
    ],
    [
      'a quote that is not closed',
      'csv',
      `chat,sent\n${'a,1767600003\n'.repeat(40_000)}a,"`,
      2,
      'the row after line 40001 is not CSV as RFC 4180 has it',
    ],
    [
      'no event in any row',
      'csv',
      'chat,sent\n,1\na,now\n',
      1,
      '0 of 2 lines taken; left out: 1 without a session (the first is line 2), 1 without a time that can be read (the first is line 3): are --session and --at right?',
    ],
  ])('%s is reported, and nothing is written', async (_, format, input, code, message) => {
    const path = join(folder, 'kept-table.ndjson');
    await writeFile(path, 'kept');
    for (const output of [[], ['-o', path]]) {
      const ended = await trace(['import', '-', '--format', format, ...TABLE, ...output], input);
      expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: '' });
      expect(ended.stderr).toMatch(/^sandman: .+\n$/);
      expect(ended.stderr).toContain(message);
      expect(await readFile(path, 'utf8')).toBe('kept');
    }
  });

  it('refuses to overwrite the table, and names a file that it cannot read or write', async () => {
    const table = join(folder, 'own.csv');
    await writeFile(table, 'chat,sent\na,1767600003\n');
    expect(await trace(['import', table, ...CSV, '-o', table])).toMatchObject({
      code: 2,
      stderr: `sandman: --output would overwrite ${table}\n`,
    });
    expect(await readFile(table, 'utf8')).toContain('chat,sent');
    const none = join(folder, 'none.csv');
    expect(await trace(['import', none, ...CSV])).toMatchObject({ code: 2, stderr: `sandman: cannot read ${none}: ENOENT\n` });
    const nowhere = join(folder, 'nowhere', 'x');
    expect(await trace(['import', table, ...CSV, '-o', nowhere])).toMatchObject({
      code: 2,
      stderr: `sandman: cannot write ${nowhere}: ENOENT\n`,
    });
  });
});

describe('measure', () => {
  it('prints the visits of a trace', async () => {
    const lines = [event('a', 0), event('a', 10), event('b', 0), event('a', 20).replace('T08', 'T09')].join('');
    expect(await trace(['measure', '-'], lines)).toEqual({
      code: 0,
      stdout: [
        '2 sessions, 2026-01-05T08:00:00.000Z to 2026-01-05T09:00:20.000Z',
        '',
        'visits                 3',
        'messages a visit       1.3 on average, median 1',
        'visits of one message  66.7%',
        'gap within a visit     median 10s, log-sigma 0.00, 95% at most 10s',
        '',
      ].join('\n'),
      stderr: '',
    });
    const { stdout } = await trace(['measure', '--json', '-'], lines);
    expect(JSON.parse(stdout)).toEqual({
      sessions: 2,
      from: '2026-01-05T08:00:00.000Z',
      to: '2026-01-05T09:00:20.000Z',
      visits: 3,
      messages: { mean: 4 / 3, median: 1 },
      singleShare: 2 / 3,
      gap: { medianSeconds: 10, logSigma: 0, p95Seconds: 10 },
    });
  });

  it('fails for a trace without users, and for a malformed line', async () => {
    const alone = '{"uuid":"a","at":"2026-01-05T08:00:00.000Z","kind":"background"}\n';
    expect(await trace(['measure', '-'], alone)).toEqual({ code: 1, stdout: '', stderr: 'sandman: no user is active in this trace\n' });
    expect(await trace(['measure', '-'], 'x')).toEqual({ code: 2, stdout: '', stderr: 'sandman: standard input: line 1: is no JSON\n' });
  });
});
