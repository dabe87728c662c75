import type { AddCommand } from './command.ts';
import { addTraceExport } from './trace-export.ts';
import { addTraceGenerate } from './trace-generate.ts';
import { addTraceImport } from './trace-import.ts';
import { addTraceMeasure } from './trace-measure.ts';

const NOTES = `
A trace is what \`sandman simulate\` reads: who was active when, a line each,
  {"uuid", "at", "event"?: "activity" or "logout", "kind"?: "user" or "background"}

Examples:
  sandman trace generate --workload assistant --output office.ndjson
  sandman trace import access.log --session-from path:/chat/:session/message
  sandman trace import messages.csv --format csv --session chat_id --at created_at
  sandman trace export --output lived.ndjson
  sandman trace measure lived.ndjson`;

/** Adds `sandman trace`, which makes the traces that `simulate` reads. Needs no API. */
export const addTrace: AddCommand = (program, system) => {
  const trace = program
    .command('trace')
    .summary('make a trace for simulate: of chance, from an exported table, an access log or a running Sandman')
    .description('Makes a trace for simulate.')
    .addHelpText('after', NOTES);
  addTraceGenerate(trace, system);
  addTraceImport(trace, system);
  addTraceExport(trace, system);
  addTraceMeasure(trace, system);
};
