import {
  BadTable,
  csvRows,
  formatLine,
  LONGEST_ROW,
  ndjsonRows,
  SKIP_REASONS,
  type SkipReason,
  type TableFormat,
  TableImport,
  type TableImportOptions,
  type TableRow,
} from '@sandman/replay';
import { CommandFailure, EXIT } from '../exit.ts';
import type { ProcessIo } from '../output.ts';
import { ProgressLine } from '../progress-line.ts';
import { checkOutput, readChunks, readLines } from './input.ts';
import { writeWholeTrace } from './trace-output.ts';

const REASONS: Readonly<Record<SkipReason, string>> = {
  malformed: 'malformed',
  'no-session': 'without a session',
  'no-uuid': 'whose session is not a uuid (--hash takes any text)',
  'no-time': 'without a time that can be read',
  'other-kind': 'whose kind is neither user nor background',
};

/** Summarizes in one line how many lines were taken and left out, and why. */
function sumOf({ rows, events, skipped }: TableImport): string {
  const left = SKIP_REASONS.filter((reason) => skipped[reason].count > 0).map((reason) => {
    const { count, firstLine } = skipped[reason];
    return `${count} ${REASONS[reason]} (the first is line ${firstLine})`;
  });
  return `${events} of ${rows} lines taken${left.length > 0 ? `; left out: ${left.join(', ')}` : ''}`;
}

async function* taken(table: TableImport, rows: AsyncIterable<TableRow[]>, progressLine: ProgressLine): AsyncGenerator<string> {
  for await (const some of rows) {
    let text = '';
    for (const row of some) {
      const event = table.take(row);
      if (event) text += formatLine(event);
    }
    if (text) yield text;
    progressLine.show(`read: ${table.rows.toLocaleString('en')} lines`);
  }
}

/**
 * Writes a trace of a table. Writes nothing if the table cannot be imported or no row has an event.
 *
 * @param path of the table; `-` is standard input
 */
export async function importTable(
  path: string,
  format: TableFormat,
  options: TableImportOptions,
  output: string | undefined,
  io: ProcessIo,
): Promise<void> {
  checkOutput(path, output);
  using progressLine = new ProgressLine(io.stderr);
  const { columns } = options;
  const rows =
    format === 'csv' ? csvRows(readChunks(path, io.stdin), columns) : ndjsonRows(readLines(path, io.stdin, LONGEST_ROW), columns);
  const table = new TableImport(options);
  try {
    await writeWholeTrace(taken(table, rows, progressLine), output, io, () => {
      if (table.rows > 0 && table.events === 0) throw new CommandFailure(EXIT.failed, `${sumOf(table)}: are --session and --at right?`);
    });
  } catch (error) {
    if (!(error instanceof BadTable)) throw error;
    throw new CommandFailure(EXIT.usage, `${path === '-' ? 'standard input' : path}: ${error.message}`);
  }
  progressLine.clear();
  io.stderr.write(`${sumOf(table)}\n`);
}
