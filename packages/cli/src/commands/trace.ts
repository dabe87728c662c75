import type { AddCommand } from './command.ts';
import { addTraceExport } from './trace-export.ts';
import { addTraceGenerate } from './trace-generate.ts';
import { addTraceImport } from './trace-import.ts';

const NOTES = `
A trace is what \`sandman simulate\` reads: who was active when, a line each,
  {"uuid", "at", "event"?: "activity" or "logout", "kind"?: "user" or "background"}

Examples:
  sandman trace generate --workload assistant --output office.ndjson
  sandman trace import access.log --session-from path:/chat/:session/message
  sandman trace export --output lived.ndjson`;

/** Adds `sandman trace`, which makes the traces that `simulate` reads. Needs no API. */
export const addTrace: AddCommand = (program, surroundings) => {
  const trace = program
    .command('trace')
    .summary('make a trace for simulate: of chance, from an access log, from a running Sandman')
    .description('Makes a trace for simulate.')
    .addHelpText('after', NOTES);
  addTraceGenerate(trace, surroundings);
  addTraceImport(trace, surroundings);
  addTraceExport(trace, surroundings);
};
