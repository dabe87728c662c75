import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sandman-audit-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Runs the audit with a fake npm that writes this output and exits with this code. */
function audit(stdout: string, stderr: string, code: number) {
  writeFileSync(join(dir, 'out'), stdout);
  writeFileSync(join(dir, 'err'), stderr);
  writeFileSync(join(dir, 'npm'), `#!/bin/sh\ncat '${dir}/out'\ncat '${dir}/err' >&2\nexit ${code}\n`, { mode: 0o755 });
  const script = fileURLToPath(new URL('../scripts/audit.ts', import.meta.url));
  const {
    status,
    stdout: said,
    stderr: cried,
  } = spawnSync(process.execPath, [script], {
    env: { PATH: `${dir}:${process.env.PATH}` },
    encoding: 'utf8',
  });
  return { status, said, cried };
}

const report = (vulnerabilities: Record<string, number>) => JSON.stringify({ auditReportVersion: 2, metadata: { vulnerabilities } });
const ENDPOINT = 'npm error audit endpoint returned an error\n';

it('nothing found passes', () => {
  expect(audit(report({ critical: 0, high: 0, moderate: 2, low: 1 }), '', 0)).toEqual({
    status: 0,
    said: 'audit: 0 critical, 0 high, 2 moderate, 1 low\n',
    cried: '',
  });
});

it('a high one fails', () => {
  expect(audit(report({ critical: 0, high: 1 }), '', 1)).toMatchObject({ status: 1, said: expect.stringContaining('1 high') });
});

it.each([
  ['that refuses audits', JSON.stringify({ message: '405 Method Not Allowed - POST /advisories', statusCode: 405, error: {} }), ENDPOINT],
  ['that cannot be reached', JSON.stringify({ message: 'request failed, reason: connect ECONNREFUSED', error: {} }), ENDPOINT],
])('a registry %s is one line, and no failure', (_, stdout, stderr) => {
  const { status, said } = audit(stdout, stderr, 1);
  expect(status).toBe(0);
  expect(said).toMatch(/^audit: NOT CHECKED, the registry does not answer audits \(.+\)\n$/);
});

it.each([
  ['says nothing', '', ''],
  [
    'finds no lockfile',
    JSON.stringify({ error: { code: 'ENOLOCK', summary: 'This command requires an existing lockfile.' } }),
    'npm error code ENOLOCK',
  ],
])('an npm that %s fails', (_, stdout, stderr) => {
  expect(audit(stdout, stderr, 1)).toMatchObject({ status: 1, cried: expect.stringContaining('npm could not run it') });
});
