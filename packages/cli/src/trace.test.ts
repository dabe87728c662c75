import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { formatDuration } from '@sandman/core';
import { WORKLOADS, type Workload } from '@sandman/replay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, type Ended, startProgram } from './cli.fixture.ts';
import type { Surroundings } from './output.ts';
import { run } from './program.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandman-trace-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Runs it in this process, without a key: it asks nobody. */
async function trace(args: readonly string[], input: string | Buffer[] = ''): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const surroundings = {
    env: {},
    stdin: Readable.from(typeof input === 'string' ? [input] : input, { objectMode: false }),
    stdout,
    stderr,
  };
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await run(['trace', ...args], surroundings as unknown as Surroundings);
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, stdout: out, stderr: err };
}

const request = (session: string, second: number, status = 200) =>
  `2001:db8::1 - - [05/Jan/2026:09:00:${String(second).padStart(2, '0')} +0100] "POST /chat/${session}/message HTTP/2.0" ${status} 1 "-" "é"`;
const event = (uuid: string, second: number) => `{"uuid":"${uuid}","at":"2026-01-05T08:00:${String(second).padStart(2, '0')}.000Z"}\n`;
const FROM_PATH = ['--session-from', 'path:/chat/:session/message'];

describe('wrong arguments are one line and code 2', () => {
  it.each([
    ['a workload that there is not', ['generate', '--workload', 'games'], 'Allowed choices are chat, assistant, support, coding'],
    ['no session', ['generate', '--sessions', '0'], 'whole number from 1 to 10000000'],
    ['too many days', ['generate', '--days', '367'], 'whole number from 1 to 366'],
    ['a start before there was time', ['generate', '--start', '1969-12-31T00:00Z'], 'must be after 1970'],
    ['a seed that is none', ['generate', '--seed', '-1'], 'whole number from 0 to 4294967295'],
    ['a gap without a unit that there is', ['generate', '--gap-median', '2 minutes'], 'must be a duration such as'],
    ['a spread beyond sense', ['generate', '--gap-sigma', '5'], 'number from 0 to 4'],
    ['a share that is none', ['generate', '--logouts', 'few'], 'from 0% to 100%'],
    ['more than all', ['generate', '--tabs', '101%'], 'from 0% to 100%'],
    ['a file for generate', ['generate', 'x.ndjson'], 'too many arguments'],
    ['no file', ['import', '--session-from', 'user'], "missing required argument 'file'"],
    ['no place of the session', ['import', '-'], "required option '--session-from <where>' not specified"],
    ['a header', ['import', '-', '--session-from', 'header:X-Session'], 'these logs hold no other headers'],
    ['a pattern that is none', ['import', '-', '--session-from', 'regex:('], 'no regular expression'],
    ['a format that there is not', ['import', '-', ...FROM_PATH, '--format', 'w3c'], 'Allowed choices are combined, common'],
    ['a status that is none', ['import', '-', ...FROM_PATH, '--only-status', 'ok'], 'statuses such as 2xx'],
    ['a background path that is none', ['import', '-', ...FROM_PATH, '--background', 'poll'], 'beginning of a path'],
    ['an unknown subcommand', ['collect'], "unknown command 'collect'"],
  ] as [string, string[], string][])('%s', async (_, args, says) => {
    const { code, stdout, stderr } = await trace(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^sandman: .+\n$/);
    expect(stderr).toContain(says);
  });

  it('a log that would be overwritten', async () => {
    const log = join(folder, 'same.log');
    await writeFile(log, request('a', 1));
    const { code, stderr } = await trace(['import', log, ...FROM_PATH, '-o', join(folder, '.', 'same.log')]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `sandman: --output would overwrite ${log}\n` });
    expect(await readFile(log, 'utf8')).toBe(request('a', 1));
  });
});

it.each(['generate', 'import'])('%s --help has examples', async (name) => {
  const { code, stdout } = await trace([name, '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/\nExamples:\n {2}\S/);
});

it('the docs have the figures of every workload', async () => {
  const docs = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  const width = ({ median, sigma }: Workload['gap']) => `${formatDuration(median)} (${sigma})`;
  for (const [name, workload] of Object.entries<Workload>(WORKLOADS)) {
    const { life, returns, weekend, visits, messages, gap, logouts, tabs, tabStays } = workload;
    const habits = [life, percent(returns), percent(weekend), visits, messages, width(gap), percent(logouts)];
    const row = docs.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    expect(row).toContain(` | ${[...habits, `${percent(tabs)}, ${width(tabStays)}`].join(' | ')} |`);
  }
});

describe('generate', () => {
  it('writes the same to a file as to stdout, and nothing beside it', async () => {
    const path = join(folder, 'made.ndjson');
    const made = await trace(['generate', '--sessions', '300']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(await trace(['generate', '--sessions', '300', '--seed', '1', '--output', path])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(path, 'utf8')).toBe(made.stdout);
    expect((await trace(['generate', '--sessions', '300', '--seed', '2'])).stdout).not.toBe(made.stdout);
  });

  it('does as its options say', async () => {
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

  it('says what it cannot write', async () => {
    const path = join(folder, 'nowhere', 'x');
    expect(await trace(['generate', '-o', path])).toEqual({ code: 2, stdout: '', stderr: `sandman: cannot write ${path}: ENOENT\n` });
  });

  it('a reader that leaves early ends it quietly, long before its end', async () => {
    const command = `'${process.execPath}' '${CLI}' trace generate --sessions 10000000 | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await startProgram('bash', ['--norc', '-c', command], {}).ended;
    expect(stdout).toMatch(/^\{"uuid":"[0-9a-f]{8}","at":"2026-01-\S+Z"\}\n0\n$/);
    expect(stderr).toBe('');
  });
});

describe('import', () => {
  it('reads a file or standard input, and sums up', async () => {
    const log = join(folder, 'access.log');
    const lines = [request('a', 1), request('b', 2, 500), 'nonsense', request('a', 3), request('c!', 4)];
    await writeFile(log, lines.map((line) => `${line}\n`).join(''));
    const stdout = event('a', 1) + event('a', 3);
    const left = '1 malformed (the first is line 3), 1 of another status, 1 whose session is no uuid (--hash takes any text)';
    const ended = { code: 0, stdout, stderr: `2 of 5 lines taken; left out: ${left}\n` };
    expect(await trace(['import', log, ...FROM_PATH])).toEqual(ended);
    expect(await trace(['import', '-', ...FROM_PATH], lines.join('\r\n'))).toEqual(ended);
  });

  it('does not mind where chunks end', async () => {
    const bytes = Buffer.from([request('a', 1), request('b', 2), request('c', 3)].join('\r\n'));
    const chunks = [...bytes].map((byte) => Buffer.from([byte]));
    const { stdout } = await trace(['import', '-', ...FROM_PATH], chunks);
    expect(stdout).toBe(event('a', 1) + event('b', 2) + event('c', 3));
  });

  it('marks what no person asked for, by any of several paths', async () => {
    const log = `${request('a', 1)}\n${request('a', 2).replace('/chat/', '/beat/')}\n${request('a', 3).replace('/chat/', '/poll/')}\n`;
    const args = ['--session-from', 'path:/*/:session/message', '--background', '/beat', '--background', '/poll'];
    const { stdout } = await trace(['import', ...args, '-'], log);
    expect(stdout.split('\n').map((line) => line.includes('"kind":"background"'))).toEqual([false, true, true, false]);
  });

  it.each([
    ['every line is malformed', 'x\ny\n', '0 of 2 lines taken; left out: 2 malformed (the first is line 1): is --format right?'],
    ['none has a session', request('a', 1).replace('chat', 'talk'), 'are --session-from and --only-status right?'],
  ])('fails where %s, and leaves the file as it was', async (_, log, says) => {
    const path = join(folder, 'kept.ndjson');
    await writeFile(path, 'kept');
    const { code, stdout, stderr } = await trace(['import', '-', ...FROM_PATH, '-o', path], log);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(says);
    expect(await readFile(path, 'utf8')).toBe('kept');
  });

  it('a reader that leaves early ends it quietly', async () => {
    const log = join(folder, 'long.log');
    await writeFile(log, `${request('a', 1)}\n`.repeat(30_000));
    const command = `'${process.execPath}' '${CLI}' trace import '${log}' ${FROM_PATH.join(' ')} | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await startProgram('bash', ['--norc', '-c', command], {}).ended;
    expect({ stdout, stderr }).toEqual({ stdout: `${event('a', 1)}0\n`, stderr: '' });
  });

  it('an empty log is an empty trace', async () => {
    expect(await trace(['import', '-', ...FROM_PATH])).toEqual({ code: 0, stdout: '', stderr: '0 of 0 lines taken\n' });
  });

  it('says what it cannot read', async () => {
    const path = join(folder, 'none.log');
    expect(await trace(['import', path, ...FROM_PATH])).toEqual({ code: 2, stdout: '', stderr: `sandman: cannot read ${path}: ENOENT\n` });
    expect(await trace(['import', folder, ...FROM_PATH])).toMatchObject({ code: 2, stderr: `sandman: cannot read ${folder}: EISDIR\n` });
  });
});
