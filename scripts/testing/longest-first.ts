import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files of `full` folders that take longest, the longest first. A fresh clone has no record of earlier runs, and vitest
 * would go by size: short files run for minutes here, and would keep one worker busy while the others have nothing left.
 */
const LONGEST = [
  'tests/full/soak.test.ts',
  'tests/full/changed-by-others.test.ts',
  'tests/full/waiting.test.ts',
  'tests/full/audit-repair.test.ts',
  'tests/full/dead-pods.test.ts',
  'tests/full/policies-live.test.ts',
  'tests/full/browser/dashboard.test.ts',
  'tests/full/browser/many.test.ts',
  'tests/full/bench.test.ts',
  'tests/full/bench-faults.test.ts',
  'tests/full/promises/processes.test.ts',
  'tests/full/promises/session-manager.test.ts',
  'tests/full/promises/redis.test.ts',
];

/** Starts the files that take longest first, so that all workers are busy until the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = new Map(LONGEST.map((path, i) => [path, LONGEST.length - i]));
    const rankOf = ({ moduleId }: TestSpecification) => rank.get(relative(this.ctx.config.root, moduleId)) ?? 0;
    // Which projects run first does not depend on this order.
    return (await super.sort(files)).sort((a, b) => rankOf(b) - rankOf(a));
  }
}
