import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Figure } from '../bench/src/figures.ts';

const ENTRY = fileURLToPath(new URL('../bench/src/main.ts', import.meta.url));
/** Of one benchmark that only shows that it runs, in ms, on a machine that has other things to do. */
const SMOKE_MS = 240_000;

function bench(...args: string[]) {
  return spawnSync(process.execPath, [ENTRY, ...args], { encoding: 'utf8', timeout: SMOKE_MS });
}

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'sandman-bench-'));
});
afterAll(() => rmSync(out, { recursive: true }));

/** What one benchmark wrote; it must have shown the same. */
function smoke(name: string): Figure[] {
  const { status, stdout, stderr } = bench(name, '--smoke', '--out', out);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const result = JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8'));
  expect(result).toMatchObject({ name, machine: { node: process.version, redis: expect.stringMatching(/^\d/) }, scale: { rounds: 1 } });
  const figures: Figure[] = result.figures;
  for (const { what, rounds, median, least, most } of figures) {
    expect(rounds, what).toHaveLength(1);
    expect([least, most], what).toEqual([median, median]);
    expect(median, what).toEqual(expect.any(Number));
    expect(stdout).toContain(what);
  }
  return figures;
}

// How fast anything was says nothing here: fleets are tiny, and rounds are one.
describe('benchmarks run, and what they write can be read', () => {
  it(
    'pings',
    () => {
      const figures = smoke('pings');
      expect(new Set(figures.map(({ group }) => group))).toEqual(new Set(['200 sessions', '2,000 sessions']));
      const pinged = figures.filter(({ unit }) => unit === 'pings/s').map(({ what }) => what);
      const all = ['floor', 'Sandman', 'Sandman, 25 % slack', 'changeDelay', 'remove + add', 'deduplication', 'ZSET'];
      expect(new Set(pinged)).toEqual(new Set(all));
      // A contestant that does not do its job would be fast.
      const moves = (what: string) => figures.filter((one) => one.what === `${what}: alarms moved per ping`).map(({ median }) => median);
      for (const way of ['changeDelay', 'deduplication', 'remove + add'])
        for (const each of moves(way)) expect(each, way).toBeGreaterThanOrEqual(1);
    },
    SMOKE_MS,
  );

  it(
    'memory',
    () => {
      const figures = smoke('memory');
      for (const [group, some] of Map.groupBy(figures, (one) => one.group)) {
        const parts = some.filter(({ what }) => what.startsWith('of that: '));
        expect(parts, group).toHaveLength(6);
        const whole = some.find(({ what }) => what === 'a session, all told')?.median ?? 0;
        expect(
          parts.reduce((sum, { median }) => sum + median, 0),
          group,
        ).toBeLessThan(whole);
      }
    },
    SMOKE_MS,
  );

  it.each([
    ['batches', ['batched events', 'batched events ÷ the script pipelined through ioredis', 'the script pipelined through ioredis']],
    ['lateness', ['Sandman: p99', 'poller, 50 ms: p99', '5-minute scan: p99']],
    ['burst', ['bare BullMQ and POST', 'Sandman, 1 worker', 'Sandman, 2 workers']],
    ['growth', ['pings, no moves', 'pings, each moves both alarms', 'batched events']],
    ['chat', ['through Sandman: p50', 'added by Sandman: p50', 'added by Sandman: p99']],
    ['start', ['API, start to ready']],
  ])(
    '%s',
    (name, whats) => {
      const found = new Set(smoke(name).map(({ what }) => what));
      for (const what of whats) expect([...found]).toContain(what);
    },
    SMOKE_MS,
  );

  it.each([
    [['nonsense'], 'nonsense is none of memory, pings, batches'],
    [['--rounds', '0'], '--rounds must be a whole number from 1 to 100'],
    [['--loud'], "Unknown option '--loud'"],
  ])('%j is refused in one line', (args, said) => {
    const { status, stdout, stderr } = bench(...args);
    expect(stderr).toContain(said);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});
