import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programFile } from '@sandman/sandbox';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Figure } from '../bench/src/figures.ts';

const ENTRY = programFile(new URL('../bench/src/main.ts', import.meta.url));
/** The time limit for one benchmark at the smoke scale, in ms, on a busy machine. */
export const SMOKE_MS = 240_000;

/** Runs `npm run bench` with these arguments. */
export function bench(...args: string[]) {
  return spawnSync(process.execPath, [ENTRY, ...args], { encoding: 'utf8', timeout: SMOKE_MS });
}

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'sandman-bench-'));
});
afterAll(() => rmSync(out, { recursive: true }));

/** Runs one benchmark at the smoke scale, checks its output, and returns the figures that it wrote. */
export function smoke(name: string): Figure[] {
  const { status, stdout, stderr } = bench(name, '--smoke', '--out', out);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const result = JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8'));
  expect(result).toMatchObject({ name, machine: { node: process.version, redis: expect.stringMatching(/^\d/) }, scale: { rounds: 1 } });
  const figures: Figure[] = result.figures;
  expect(figures).not.toEqual([]);
  for (const { what, rounds, median, least, most } of figures) {
    expect(rounds, what).toHaveLength(1);
    expect([least, most], what).toEqual([median, median]);
    expect(median, what).toEqual(expect.any(Number));
    expect(stdout).toContain(what);
  }
  return figures;
}
