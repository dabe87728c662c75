/**
 * `npm audit --audit-level=high`, for CI: fails if it finds vulnerabilities of that level or above. If the registry does not
 * answer audits, as many mirrors do not, it prints one line and does not fail, because that says nothing about the packages.
 */
import { spawnSync } from 'node:child_process';

const npmAudit = spawnSync('npm', ['audit', '--audit-level=high', '--json', '--loglevel=error'], { encoding: 'utf8' });

interface Report {
  readonly metadata?: { readonly vulnerabilities?: Record<string, number> };
  readonly statusCode?: number;
  readonly message?: string;
}

function parseAuditReport(): Report {
  try {
    return JSON.parse(npmAudit.stdout);
  } catch {
    return {};
  }
}

const { metadata, statusCode, message = '' } = parseAuditReport();
const vulnerabilities = metadata?.vulnerabilities;
if (vulnerabilities) {
  const counts = ['critical', 'high', 'moderate', 'low'].map((level) => `${vulnerabilities[level] ?? 0} ${level}`).join(', ');
  console.log(`audit: ${counts}${npmAudit.status === 0 ? '' : '; see npm audit'}`);
  process.exitCode = npmAudit.status ?? 1;
} else if (statusCode !== undefined || /audit endpoint returned an error/.test(npmAudit.stderr)) {
  console.log(`audit: NOT CHECKED, the registry does not answer audits (${statusCode ?? message})`);
} else {
  console.error(`audit: npm could not run it: ${npmAudit.error?.message ?? npmAudit.stderr.trim()}`);
  process.exitCode = 1;
}
