import { defineConfig } from 'vitest/config';

/** Each file starts up to ten processes and holds them to their deadlines: two at once would measure the machine instead. So would a flood. */
const DEADLINES = [
  'tests/promises/**/*.test.ts',
  'tests/main-job.test.ts',
  'tests/client-outage.test.ts',
  'tests/overload.test.ts',
  'tests/recovery/restore.test.ts',
  'tests/simulate-real.test.ts',
  'tests/cluster.test.ts',
];

/** A browser takes all that the machine has, and so does a benchmark, or thirty simulations. None holds deadlines here, so they may run side by side. */
const HEAVY = ['tests/browser/**/*.test.ts', 'tests/bench.test.ts', 'tests/policies-doc.test.ts'];

/** Builds images and runs ten containers. */
const CONTAINERS = 'tests/containers/**/*.test.ts';

/** Processes are started by the hundred: what one has compiled the next need not. */
const env = { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/node` };

// Real processes on real Redis: on a busy machine starting them takes a while.
const patience = { testTimeout: 30_000, hookTimeout: 60_000, env };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...patience,
          name: 'parts',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: [...DEADLINES, ...HEAVY, CONTAINERS],
          // One more than cores, for most of them wait for most of the time.
          maxWorkers: 3,
          // Those that a file runs at once are processes of their own.
          maxConcurrency: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...patience, name: 'deadlines', include: DEADLINES, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      { test: { ...patience, name: 'heavy', include: HEAVY, maxWorkers: 2, sequence: { groupOrder: 2 } } },
      {
        test: {
          testTimeout: 180_000,
          hookTimeout: 600_000,
          name: 'containers',
          include: [CONTAINERS],
          maxWorkers: 1,
          // What removes containers after a run that was killed is an image of its own, which not every machine can get.
          env: { ...env, TESTCONTAINERS_RYUK_DISABLED: 'true' },
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
