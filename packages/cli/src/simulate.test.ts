import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sandman, sandmanHere } from './cli.fixture.ts';

/** Lines of two sessions, out of order. One of them logs out and comes back. */
const LINES = [
  '{"uuid":"b2","at":"2026-11-24T08:30:00.000Z","event":"logout"}',
  '{"uuid":"a1","at":"2026-11-24T08:00:00.000Z"}',
  '{"uuid":"a1","at":"2026-11-24T08:18:00.000Z"}',
  '{"uuid":"b2","at":"2026-11-24T08:20:00.000Z"}',
  '{"uuid":"a1","at":"2026-11-24T08:19:00.000Z","kind":"background"}',
  '{"uuid":"b2","at":"2026-11-24T09:00:00.000Z"}',
].join('\n');

let dir: string;
let trace: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sandman-simulate-'));
  trace = join(dir, 'trace.ndjson');
  writeFileSync(trace, LINES);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const simulate = (args: string[]) => sandmanHere(['simulate', ...args], {});
/** Runs the command in a process of its own, with this standard input. */
const piped = (args: string[], input: string) => sandman(['simulate', ...args], {}, input);

const TEN = '{"sleepAfter":"10m","deleteAfter":"2h"}';
// In minutes after 8:00. a1: awake 0–15 and 18–34, asleep 15–18 and 34–60. b2: awake 20–30, gone, and created anew at 60, the end.
const BALANCED = {
  name: 'balanced',
  policy: { name: 'balanced', sleepAfter: '15m', deleteAfter: '24h', backgroundCap: '4h' },
  alwaysOnSeconds: 100 * 60,
  awakeSeconds: (15 + 16 + 10) * 60,
  asleepSeconds: (3 + 26) * 60,
  savedFraction: 1 - 41 / 100,
  sleeps: 2,
  wakes: 1,
  deletes: 1,
  recreations: 1,
  regrets: 1,
  lostReturns: 1 / 2,
};

describe('simulate', () => {
  it('is one document with --json, of a file or of standard input', async () => {
    const { code, stdout, stderr } = await simulate([trace, '--json', '--policy', 'balanced', '--policy', TEN]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toEqual({
      sessions: 2,
      from: '2026-11-24T08:00:00.000Z',
      to: '2026-11-24T09:00:00.000Z',
      policies: [BALANCED, expect.objectContaining({ name: 'custom', awakeSeconds: (10 + 11 + 10) * 60, sleeps: 2, regrets: 0 })],
    });
    expect(await piped(['-', '--json', '--policy', 'balanced', '--policy', TEN], LINES)).toEqual({ code: 0, stdout, stderr: '' });
  });

  it('is a table of all presets for people', async () => {
    const { code, stdout } = await simulate([trace]);
    expect(code).toBe(0);
    const [head, , titles, ...rows] = stdout.trimEnd().split('\n');
    expect(head).toBe('2 sessions, 2026-11-24T08:00:00.000Z to 2026-11-24T09:00:00.000Z');
    expect(titles).toMatch(/^POLICY +SLEEPS AFTER +DELETED AFTER +SAVED /);
    expect(rows.map((row) => row.split(/ +/)[0])).toEqual(['aggressive', 'balanced', 'conservative', 'simple']);
    expect(rows[1]).toMatch(/^balanced +15m +24h +59\.0% +0\.68 +0\.02 +2 +1 +1 +1 +1 +50\.0%$/);
  });

  it('ends where --until says', async () => {
    const { stdout } = await simulate([trace, '--json', '--policy', 'balanced', '--until', '2026-11-24T08:16:00Z']);
    expect(JSON.parse(stdout)).toMatchObject({ sessions: 1, to: '2026-11-24T08:16:00.000Z', policies: [{ awakeSeconds: 900, sleeps: 1 }] });
    const later = await simulate([trace, '--json', '--policy', 'balanced', '--until', '2026-11-24T10:00:00Z']);
    expect(JSON.parse(later.stdout)).toMatchObject({ policies: [{ alwaysOnSeconds: 220 * 60, awakeSeconds: (15 + 16 + 10 + 15) * 60 }] });
  });

  it('counts what waking takes', async () => {
    const { stdout } = await simulate([trace, '--json', '--policy', 'balanced', '--wake-time', '2m']);
    expect(JSON.parse(stdout).policies[0].awakeSeconds).toBe(BALANCED.awakeSeconds + 60);
  });

  it('draws a plot with every preset, and recommends', async () => {
    const plot = join(dir, 'plot.svg');
    const { code, stdout } = await simulate([trace, '--json', '--policy', TEN, '--plot', plot, '--recommend', '5%']);
    expect(code).toBe(0);
    const svg = readFileSync(plot, 'utf8');
    expect(svg).toMatch(/^<svg [^>]*><title>/);
    for (const text of ['custom', 'aggressive', 'balanced', 'conservative', 'simple', 'deleteAfter 2h', 'pod-days kept'])
      expect(svg).toContain(text);
    const { policies, recommendation } = JSON.parse(stdout);
    expect(policies).toHaveLength(1);
    expect(recommendation).toMatchObject({ atMost: 0.05, policy: { sleepAfter: '1m', deleteAfter: '2h' } });
    expect(recommendation.sweep).toHaveLength(16);
    const text = (await simulate([trace, '--recommend', '5'])).stdout;
    expect(text).toContain('recommended for at most 5% regrets: {"sleepAfter":"1m"');
    // What is saved stands beside what is lost.
    expect(text).toMatch(/\nDELETED AFTER +LOST RETURNS /);
  });

  /** One user who returns after 2 hours, and then after 4 days. */
  const RETURNS = ['2026-11-02T08:00:00Z', '2026-11-02T10:00:00Z', '2026-11-06T10:00:00Z']
    .map((at) => `{"uuid":"a","at":"${at}"}`)
    .join('\n');

  /** Runs the command on a trace of these lines. */
  async function ofLines(lines: string, args: string[]) {
    const file = join(dir, 'returns.ndjson');
    writeFileSync(file, lines);
    return simulate([file, ...args]);
  }

  it('recommends a deleteAfter with --recommend-delete', async () => {
    const recommended = async (share: string, ...more: string[]) => {
      const { code, stdout } = await ofLines(RETURNS, ['--json', '--recommend-delete', share, ...more]);
      expect(code).toBe(0);
      return JSON.parse(stdout);
    };
    const { recommendedDelete, deleteSweep, recommendation } = await recommended('5%');
    expect(recommendedDelete).toEqual({ deleteAfter: '7d', lostReturns: 0 });
    expect(recommendation).toBeUndefined();
    expect(deleteSweep.map((step: { lostReturns: number }) => step.lostReturns)).toEqual([1, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0, 0]);
    expect(deleteSweep[1]).toMatchObject({ deleteAfter: '6h', wakes: 1, recreations: 1, deletes: 1 });
    expect((await recommended('50')).recommendedDelete).toEqual({ deleteAfter: '6h', lostReturns: 0.5 });
    // The sweep varies the first policy: under one that never sleeps, the pod that is still there is not woken.
    expect((await recommended('5%', '--policy', 'simple')).recommendedDelete).toEqual({ deleteAfter: '7d', lostReturns: null });
    expect((await recommended('5%', '--until', '2026-11-02T09:00:00Z')).recommendedDelete).toBeNull();
  });

  it('says in words what --recommend-delete found', async () => {
    const last = async (input: string, share: string) => (await ofLines(input, ['--recommend-delete', share])).stdout.trimEnd().split('\n');
    const found = await last(RETURNS, '5%');
    expect(found.at(-1)).toBe('recommended for at most 5% lost returns: {"sleepAfter":"15m","deleteAfter":"7d"}');
    expect(found.at(-2)).toBe('the trace covers 4.08 days: users who came back after a longer time than that are not in it');
    expect(found.filter((line) => /^(\d+[hd]) /.test(line))).toHaveLength(10);
    expect((await last(LINES, '1%')).at(-1)).toBe('nothing up to 90d has at most 1% lost returns');
    expect((await last(RETURNS.split('\n')[0]!, '1%')).at(-1)).toBe('no user returned, so no deleteAfter is recommended');
  });

  it('counts what is left to pay with --price', async () => {
    const { stdout } = await simulate([trace, '--json', '--policy', 'balanced', '--price', '1.5']);
    expect(JSON.parse(stdout).policies[0].cost).toEqual({ awake: (41 / 60) * 1.5, saved: expect.closeTo((59 / 60) * 1.5, 9) });
    const table = (await simulate([trace, '--policy', 'balanced', '--price', '1.5'])).stdout;
    expect(table).toMatch(/ SAVED +HOURS AWAKE +COST +DAYS ASLEEP /);
    expect(table).toMatch(/ 59\.0% +0\.68 +1\.03 +0\.02 /);
    expect(JSON.parse((await simulate([trace, '--json'])).stdout).policies[0].cost).toBeUndefined();
  });
});

describe('what is wrong is one line and code 2, and nothing is printed', () => {
  it.each([
    ['no trace', [], 'missing required argument'],
    ['a file that there is not', ['/nowhere.ndjson'], 'cannot read /nowhere.ndjson: ENOENT'],
    ['an unknown policy', ['TRACE', '--policy', 'lazy'], 'must be one of aggressive, balanced'],
    ['a policy that is none', ['TRACE', '--policy', '{"sleepAfter":"10m"}'], 'policy.deleteAfter must be a duration'],
    ['a policy that is no JSON', ['TRACE', '--policy', '{sleepAfter}'], 'It is no JSON'],
    ['a bad end', ['TRACE', '--until', 'noon'], 'must be a time such as'],
    ['an end on no day', ['TRACE', '--until', '2026-11-31T08:00:00Z'], 'must be a time such as'],
    ['an end before the beginning', ['TRACE', '--until', '2026-11-24T07:00:00Z'], "before the trace's first line"],
    ['a bad wake time', ['TRACE', '--wake-time', '-1s'], 'must be a duration such as'],
    ['a share that is none', ['TRACE', '--recommend', '101%'], 'from 0% to 100%'],
    ['a share of returns that is none', ['TRACE', '--recommend-delete', 'few'], 'from 0% to 100%'],
    ['a price that is none', ['TRACE', '--price', '-1'], 'a number such as 0.12'],
    ['a plot that cannot be written', ['TRACE', '--plot', '/nowhere/plot.svg'], 'cannot write --plot: ENOENT'],
  ])('%s', async (_, args, says) => {
    const { code, stdout, stderr } = await simulate(args.map((arg) => (arg === 'TRACE' ? trace : arg)));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^sandman: .+\n$/);
    expect(stderr).toContain(says);
  });

  it('a trace without any line', async () => {
    expect(await piped(['-', '--json'], '\n')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sandman: standard input: there is no line in it\n',
    });
  });

  it('a bad line, by its number and field', async () => {
    const { code, stdout, stderr } = await piped(['-'], `${LINES}\n{"uuid":"a1","at":"yesterday"}\n`);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe('sandman: standard input: line 7: at must be a time such as 2026-11-24T08:00:00.000Z, after 1970\n');
  });
});
