/**
 * `npm audit --audit-level=high`, for CI: fails if it finds vulnerabilities of that level or above. If the registry does not
 * answer audits, as many mirrors do not, it prints one line and does not fail, because that says nothing about the packages.
 */
import { spawnSync } from 'node:child_process';

const audit = spawnSync('npm', ['audit', '--audit-level=high', '--json', '--loglevel=error'], { encoding: 'utf8' });

interface Report {
  readonly metadata?: { readonly vulnerabilities?: Record<string, number> };
  readonly statusCode?: number;
  readonly message?: string;
}

function report(): Report {
  try {
    return JSON.parse(audit.stdout);
  } catch {
    return {};
  }
}

const { metadata, statusCode, message = '' } = report();
const found = metadata?.vulnerabilities;
if (found) {
  const counts = ['critical', 'high', 'moderate', 'low'].map((level) => `${found[level] ?? 0} ${level}`).join(', ');
  console.log(`audit: ${counts}${audit.status === 0 ? '' : '; see npm audit'}`);
  process.exitCode = audit.status ?? 1;
} else if (statusCode !== undefined || /audit endpoint returned an error/.test(audit.stderr)) {
  console.log(`audit: NOT CHECKED, the registry does not answer audits (${statusCode ?? message})`);
} else {
  console.error(`audit: npm could not run it: ${audit.error?.message ?? audit.stderr.trim()}`);
  process.exitCode = 1;
}
