import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/**/*.test.ts'],
    // Real processes on real Redis: on a busy machine starting them takes a while.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Deadlines are checked to tenths of a second; more files at once than cores would measure the machine instead.
    maxWorkers: 2,
  },
});
