import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/testing/longest-first.ts';
import { ResultsFile } from './scripts/testing/results.ts';

/** How many test files run at once at most. More than cores, for most of them wait for most of the time. */
export const WORKERS = 4;

/** In a folder of this name a test belongs to `npm run test:all` alone; every other one to `npm test` as well. */
const FULL = '**/full/**';

/**
 * Each of these files holds many processes to their deadlines, or measures them. They run one after the other,
 * when all others are done: beside another file they would measure the machine instead.
 */
const DEADLINES = ['main-job', 'webhook-outage', 'webhook-warnings'].map((name) => `tests/${name}.test.ts`);
const inFull = (...names: readonly string[]) => names.map((name) => `tests/full/${name}.test.ts`);
/** These mostly wait, for back-offs, leases and time-outs. */
const FULL_WAITING = inFull(
  'audit-repair',
  'by-user',
  'changed-by-others',
  'circuit',
  'clocks',
  'conflicting-settings',
  'dead-pods',
  'endless-answer',
  'ledger-mysql',
  'local',
  'newly-due',
  'not-found',
  'places',
  'policies-live',
  'sentinel',
  'slow-connections',
  'tls',
  'trace-export',
  'waiting',
);
/** These hold processes to deadlines of a second, and leave most of the machine idle: three fit beside each other. */
const FULL_DEADLINES = inFull('promises/*', 'cluster', 'simulate-real');
/** These measure answers before and in an outage, what an overload delays, and when restored sessions act. */
const FULL_ALONE = inFull('client-outage', 'overload', 'restore');

/** Each builds images and runs up to ten containers. Beside other files their pings would wait for the images of others. */
const CONTAINERS = 'tests/full/containers/*.test.ts';

const UNITS = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'];
const PROCESSES = 'tests/**/*.test.ts';

/** Processes are started by the hundred: what one has compiled the next need not. */
export const COMPILE_CACHE = `${import.meta.dirname}/node_modules/.cache/node`;
const env = { NODE_COMPILE_CACHE: COMPILE_CACHE };

// Real processes on real Redis: on a busy machine starting one takes 10 s, and most tests and hooks start several.
const patience = { testTimeout: 60_000, hookTimeout: 150_000, env };

// Files change nothing of their process, so they share it: starting one for each file takes longer than most of them.
// Of the concurrent tests of a file three run at once, because each starts processes.
const quick = { ...patience, isolate: false, maxWorkers: WORKERS, maxConcurrency: 3, sequence: { groupOrder: 0 } };

// A browser, a benchmark or the simulation takes a core for itself. With three files at once, tests ran into their time limits.
const full = { ...patience, maxWorkers: 2, sequence: { groupOrder: 3 } };

const containers = {
  testTimeout: 180_000,
  hookTimeout: 600_000,
  // What removes containers after a run that was killed is an image of its own, which not every machine can get.
  env: { ...env, TESTCONTAINERS_RYUK_DISABLED: 'true' },
};

const results = new ResultsFile();

export default defineConfig({
  test: {
    reporters: ['default', results],
    // Missing parts are named once, at the end.
    onConsoleLog: (text) => !(process.env.SANDMAN_TEST_RESULTS && results.noteMissing(text)),
    slowTestThreshold: 5_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { ...quick, name: 'quick-units', include: UNITS, exclude: [FULL] } },
      { test: { ...quick, name: 'quick', include: [PROCESSES], exclude: [FULL, ...DEADLINES] } },
      { test: { ...patience, name: 'quick-deadlines', include: DEADLINES, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      {
        test: {
          ...full,
          name: 'full',
          include: [...UNITS, PROCESSES].map((glob) => glob.replace('**/', '**/full/**/')),
          exclude: [...FULL_WAITING, ...FULL_DEADLINES, ...FULL_ALONE, CONTAINERS],
        },
      },
      { test: { ...patience, name: 'full-waiting', include: FULL_WAITING, maxWorkers: WORKERS, sequence: { groupOrder: 2 } } },
      { test: { ...patience, name: 'full-deadlines', include: FULL_DEADLINES, maxWorkers: 3, sequence: { groupOrder: 4 } } },
      { test: { ...patience, name: 'full-alone', include: FULL_ALONE, maxWorkers: 1, sequence: { groupOrder: 5 } } },
      { test: { ...containers, name: 'full-containers', include: [CONTAINERS], maxWorkers: 1, sequence: { groupOrder: 6 } } },
    ],
  },
});
