import { expect, it } from 'vitest';
import { closingLine, slowestFiles } from '../scripts/testing/summary.ts';

const file = (name: string, ms: number, counts = {}) => ({ file: name, ms, passed: 2, failed: 0, skipped: 0, broken: false, ...counts });

it('one line counts passed, failed and skipped tests, and says what is missing and what runs the rest', () => {
  const quick = {
    files: [file('a', 10), file('b', 20, { failed: 1, skipped: 3 })],
    strayErrors: 0,
    missing: { mysql: 'install MariaDB', tls: 'install openssl' },
  };
  expect(closingLine([quick], true)).toBe(
    'Tests: 4 passed, 1 failed, 3 skipped in 2 files. Missing here: mysql (install MariaDB); tls (install openssl). The rest runs with: npm run test:all',
  );
});

it('over two runs each missing part is named once, and a file that could not run is counted, as is an error of no test', () => {
  const one = { files: [file('a', 10)], strayErrors: 0, missing: { mysql: 'install MariaDB' } };
  const two = { files: [file('b', 10, { passed: 0, broken: true })], strayErrors: 1, missing: { mysql: 'install MariaDB' } };
  expect(closingLine([one, two], false)).toBe(
    'Tests of 2 runs: 2 passed, 0 failed, 0 skipped in 2 files. 2 failed outside of any test. Missing here: mysql (install MariaDB).',
  );
});

it('the ten slowest files over all runs come slowest first', () => {
  const files = Array.from({ length: 12 }, (_, i) => file(`file-${i}`, i * 1_000));
  const lines = slowestFiles([
    { files: files.slice(0, 6), strayErrors: 0, missing: {} },
    { files: files.slice(6), strayErrors: 0, missing: {} },
  ]).split('\n');
  expect(lines).toHaveLength(11);
  expect(lines[1]).toBe('   11.0 s  file-11');
  expect(lines.at(-1)).toBe('    2.0 s  file-2');
});
