import { existsSync, readFileSync } from 'node:fs';
import type { TestRun } from './results.ts';

const SLOWEST = 10;

/** Reads the runs of a file of results, in their order. */
export function readRuns(path: string): TestRun[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as TestRun);
}

/** Lists the files that took longest over all runs, a line each. */
export function slowestFiles(runs: readonly TestRun[]): string {
  const files = runs.flatMap((run) => run.files).toSorted((a, b) => b.ms - a.ms);
  const lines = files.slice(0, SLOWEST).map(({ file, ms }) => `${(ms / 1_000).toFixed(1).padStart(7)} s  ${file}`);
  return ['The slowest files:', ...lines].join('\n');
}

/**
 * Sums up all runs and names the parts that this machine lacks, in one line.
 *
 * @param leavesOut whether `npm run test:all` has more tests
 */
export function closingLine(runs: readonly TestRun[], leavesOut: boolean): string {
  const sum = { passed: 0, failed: 0, skipped: 0, broken: runs.reduce((count, { strayErrors }) => count + strayErrors, 0) };
  for (const { passed, failed, skipped, broken } of runs.flatMap((run) => run.files)) {
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
    sum.broken += Number(broken);
  }
  const files = runs.reduce((count, run) => count + run.files.length, 0);
  const missing = Object.entries(Object.assign({}, ...runs.map((run) => run.missing)) as TestRun['missing']);
  const without = missing.map(([part, remedy]) => `${part} (${remedy})`).join('; ');
  return [
    `Tests${runs.length > 1 ? ` of ${runs.length} runs` : ''}: ${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped in ${files} files.`,
    ...(sum.broken ? [`${sum.broken} failed outside of any test.`] : []),
    ...(without ? [`Missing here: ${without}.`] : []),
    ...(leavesOut ? ['The rest runs with: npm run test:all'] : []),
  ].join(' ');
}
