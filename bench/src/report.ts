import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Benchmark, Scale } from './benchmark.ts';
import { type Figure, isMet } from './figures.ts';

const GB = 1_073_741_824;

function formatValue(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 10 ? 1 : 2);
}

function formatGoal({ goal }: Figure): string {
  if (!goal) return '';
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

/** Formats figures as a Markdown table, which is readable in a terminal too. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const met = isMet(figure);
    const { what, unit, median, least, most } = figure;
    return [
      what,
      formatValue(median),
      `${formatValue(least)} to ${formatValue(most)}`,
      unit,
      formatGoal(figure),
      met === null ? '' : met ? 'met' : 'missed',
    ];
  });
  const all = [['', 'median', 'range', 'unit', 'goal', ''], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(3, ...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(all[0]!), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Writes the figures and a description of the machine to `<dir>/<name>.json`. */
export function writeResult(dir: string, { name, about }: Benchmark, scale: Scale, figures: readonly Figure[]): string {
  const file = join(dir, `${name}.json`);
  const [cpu] = cpus();
  const machine = {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / GB),
    node: process.version,
    redis: /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown',
  };
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ name, about, at: new Date().toISOString(), machine, scale, figures }, null, 2)}\n`);
  return file;
}
