import { appendFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** The result of one test file. */
interface FileResult {
  /** Its path from the root of the repository. */
  readonly file: string;
  /** How long it ran, its hooks included, in ms. */
  readonly ms: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Whether it failed outside its tests: while it was loaded, or in a hook. */
  readonly broken: boolean;
}

/** The result of one run of vitest. */
export interface TestRun {
  readonly files: readonly FileResult[];
  /** The number of errors that belong to no test, such as unhandled rejections. */
  readonly strayErrors: number;
  /** The parts that this machine lacks, with what to install, by their names in `SANDMAN_REQUIRE`. */
  readonly missing: Readonly<Record<string, string>>;
}

function resultOf(module: TestModule): FileResult {
  const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
  for (const test of module.children.allTests()) counts[test.result().state] += 1;
  return {
    file: module.relativeModuleId,
    ms: Math.round(module.diagnostic().duration),
    passed: counts.passed,
    failed: counts.failed,
    // A test that never ran counts as skipped, not as passed.
    skipped: counts.skipped + counts.pending,
    broken: module.state() === 'failed' && counts.failed === 0,
  };
}

/** Appends the results of a run to the file `SANDMAN_TEST_RESULTS`, as a line of JSON; does nothing without that variable. */
export class ResultsFile implements Reporter {
  readonly #missing: Record<string, string> = {};

  /** Notes the missing part if a text is a line that `lacks` of @sandman/sandbox prints. @returns whether it is one */
  noteMissing(text: string): boolean {
    const [, part, remedy] = /^skipped, no (\S+) here: (.*)$/m.exec(text) ?? [];
    if (part === undefined || remedy === undefined) return false;
    this.#missing[part] = remedy;
    return true;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const path = process.env.SANDMAN_TEST_RESULTS;
    if (!path) return;
    const files = modules.map(resultOf);
    const run: TestRun = { files, strayErrors: errors.length, missing: this.#missing };
    appendFileSync(path, `${JSON.stringify(run)}\n`);
  }
}
