import { LIVE_STATUSES } from '@sandman/core';
import type { Output, Style } from '../output.ts';
import { STATUS_STYLE } from '../session-columns.ts';
import { printable } from '../terminal-text.ts';
import type { RestoreCounts } from './restore-counts.ts';

interface ReportLine {
  readonly name: string;
  readonly count: number;
  readonly style?: Style | null;
  readonly text?: string;
}

/** How many uuids a line names; --json has all. */
const UUIDS_SHOWN = 10;

function naming(uuids: readonly string[]): string {
  const more = uuids.length > UUIDS_SHOWN ? ` and ${uuids.length - UUIDS_SHOWN} more (--json names all)` : '';
  return uuids.slice(0, UUIDS_SHOWN).join(' ') + more;
}

function reportLines(totals: RestoreCounts): ReportLine[] {
  const { restored, skipped, gone, unread, unknownPolicies, failed } = totals;
  const policies = Object.entries(unknownPolicies);
  return [
    { name: 'restored', count: totals.sum },
    ...LIVE_STATUSES.filter((status) => restored[status] > 0).map((status) => ({
      name: `  ${status}`,
      count: restored[status],
      style: STATUS_STYLE[status],
    })),
    { name: 'skipped', count: skipped.deleted + skipped.inRedis },
    { name: '  deleted before', count: skipped.deleted },
    { name: '  in Redis already', count: skipped.inRedis },
    { name: 'found gone', count: gone.length, text: naming(gone) },
    { name: 'status not read', count: unread.length, text: naming(unread) },
    ...policies.map(([name, count]) => ({ name: 'default policy', count, text: `unknown policy ${JSON.stringify(name)}` })),
    ...(failed.length > 0
      ? [{ name: 'failed', count: failed.length, style: 'red' as const, text: naming(failed.map(({ uuid }) => uuid)) }]
      : []),
  ];
}

/** Prints what was restored, skipped and found gone, or would be in a dry run. */
export function showRestored(totals: RestoreCounts, { dryRun, seconds }: { dryRun: boolean; seconds: number }, output: Output): void {
  const { restored, skipped, gone, unread, unknownPolicies, failed } = totals;
  for (const { uuid, error } of failed) output.note(`${uuid}: ${printable(error)}`);
  if (output.json) {
    output.document({ dryRun, seconds, restored, skipped, gone, unread, unknownPolicies, failed });
    return;
  }
  if (dryRun) output.note('a dry run, nothing is done');
  const lines = reportLines(totals);
  const names = Math.max(...lines.map(({ name }) => name.length));
  const counts = Math.max(...lines.map(({ count }) => count.toLocaleString('en').length));
  for (const { name, count, style, text } of lines) {
    const title = style ? output.paint(style, name) : name;
    const row = `${title}${' '.repeat(names - name.length)}  ${count.toLocaleString('en').padStart(counts)}  ${printable(text ?? '')}`;
    output.line(row.trimEnd());
  }
}
