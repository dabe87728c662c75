import { defineConfig } from 'vitest/config';
import { ResultsFile } from './scripts/testing/results.ts';

/** How many test files run at once at most. More than cores, for most of them wait for most of the time. */
export const WORKERS = 4;

/** In a folder of this name a test belongs to `npm run test:all` alone; every other one to `npm test` as well. */
const FULL = '**/full/**';

/**
 * Each of these files holds many processes to their deadlines, or measures them. They run one after the other,
 * when all others are done: beside another file they would measure the machine instead.
 */
const DEADLINES = ['main-job', 'overload', 'webhook-outage', 'recovery/restore'].map((name) => `tests/${name}.test.ts`);
/** These leave most of the machine idle, and two of them fit beside each other. */
const FULL_DEADLINES = ['tests/full/promises/**', 'tests/full/cluster.test.ts'];
/** One compares how long answers take before and in an outage, the other when each call of a day is made. */
const FULL_ALONE = ['tests/full/client-outage.test.ts', 'tests/full/simulate-real.test.ts'];

/** Builds images and runs ten containers. */
const CONTAINERS = 'tests/full/containers/**';

const UNITS = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'];
const PROCESSES = 'tests/**/*.test.ts';

/** Processes are started by the hundred: what one has compiled the next need not. */
const env = { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/node` };

// Real processes on real Redis: on a busy machine starting them takes a while.
const patience = { testTimeout: 30_000, hookTimeout: 60_000, env };

// Those that a file runs at once are processes of their own.
const quick = { ...patience, maxWorkers: WORKERS, maxConcurrency: 3, sequence: { groupOrder: 0 } };

const results = new ResultsFile();

export default defineConfig({
  test: {
    reporters: ['default', results],
    // Missing parts are named once, at the end.
    onConsoleLog: (text) => !(process.env.SANDMAN_TEST_RESULTS && results.noteMissing(text)),
    slowTestThreshold: 5_000,
    projects: [
      // Those beside the code that they test change nothing of their process: starting one for each file takes longer than most of them.
      { test: { ...quick, name: 'quick-units', include: UNITS, exclude: [FULL], isolate: false } },
      { test: { ...quick, name: 'quick', include: [PROCESSES], exclude: [FULL, ...DEADLINES] } },
      { test: { ...patience, name: 'quick-deadlines', include: DEADLINES, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      {
        test: {
          ...patience,
          name: 'full',
          include: [...UNITS, PROCESSES].map((glob) => glob.replace('**/', '**/full/**/')),
          exclude: [...FULL_DEADLINES, ...FULL_ALONE, CONTAINERS],
          // A browser or a benchmark takes a core for itself; a soak waits.
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...patience,
          name: 'full-deadlines',
          include: FULL_DEADLINES.map((glob) => glob.replace(/\*\*$/, '*.test.ts')),
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      { test: { ...patience, name: 'full-alone', include: FULL_ALONE, maxWorkers: 1, sequence: { groupOrder: 4 } } },
      {
        test: {
          testTimeout: 180_000,
          hookTimeout: 600_000,
          name: 'full-containers',
          include: [`${CONTAINERS}/*.test.ts`],
          maxWorkers: 1,
          // What removes containers after a run that was killed is an image of its own, which not every machine can get.
          env: { ...env, TESTCONTAINERS_RYUK_DISABLED: 'true' },
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});
