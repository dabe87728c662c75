/** `npm test`, `npm run test:all`, `npm run test:rest`: starts a Redis for each worker of the test runner, runs the tests, and sums up. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type FoundRedis, redisForTests } from '@sandman/sandbox';
import { COMPILE_CACHE, WORKERS } from '../vitest.config.ts';
import { bundlePrograms } from './testing/bundle.ts';
import { closingLine, readRuns, slowestFiles } from './testing/summary.ts';

const HELP = `Runs Sandman's tests.

  npm test                    every part once: all tests but those in folders named "full"
  npm run test:all            every test that this machine can run
  npm run test:rest           what npm test leaves out

  npm test -- PATH...         the test files whose path contains PATH; those in "full" folders when PATH says so
  npm test -- --watch         again whenever a file changes
  npm test -- -t NAME         the tests of that name; all further options are vitest's

SANDMAN_REQUIRE=PARTS         comma-separated: a missing part (docker, chromium, postgres, ...) fails instead of being skipped
SANDMAN_TEST_RESULTS=FILE     appends the results there; a second run with the same file sums up both`;

type Selection = 'quick' | 'all' | 'rest';

/** Vitest's options for the projects to run; none: all projects run. */
function projects(selection: Selection, args: readonly string[]): string[] {
  const namesFull = args.some((arg) => !arg.startsWith('-') && /(^|\/)full(\/|$)/.test(arg));
  if (selection === 'all' || (selection === 'quick' && namesFull)) return [];
  return ['--project', selection === 'quick' ? 'quick*' : 'full*'];
}

async function main([first = '', ...others]: readonly string[]): Promise<number> {
  const selection = first === '--all' ? 'all' : first === '--rest' ? 'rest' : 'quick';
  const args = selection === 'quick' ? [first, ...others].filter(Boolean) : others;
  if (args.includes('--help') || args.includes('-h')) {
    console.log(HELP);
    return 0;
  }
  const watch = args.includes('--watch') || args.includes('-w');
  const folder = mkdtempSync(join(tmpdir(), 'sandman-tests-'));
  const results = process.env.SANDMAN_TEST_RESULTS || join(folder, 'results.ndjson');
  const servers: FoundRedis[] = [];
  // Ctrl-C reaches vitest as well. This process waits until it has ended, and then stops the servers.
  process.on('SIGINT', () => {});
  try {
    // A few files start too few processes to be worth it.
    const bundles = args.length === 0 ? await bundlePrograms(COMPILE_CACHE) : '';
    servers.push(...(await Promise.all(Array.from({ length: WORKERS }, () => redisForTests()))));
    const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
    const child = spawn(process.execPath, [vitest, ...(watch ? [] : ['run']), ...projects(selection, args), ...args], {
      stdio: 'inherit',
      env: {
        ...process.env,
        SANDMAN_TEST_BUNDLES: bundles,
        SANDMAN_TEST_REDIS: servers.map(({ url }) => url).join(' '),
        SANDMAN_TEST_RESULTS: results,
      },
    });
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
    const runs = readRuns(results);
    if (!watch && runs.length > 0) {
      if (selection !== 'quick') console.log(slowestFiles(runs));
      console.log(closingLine(runs, selection === 'quick'));
    }
    return code;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
