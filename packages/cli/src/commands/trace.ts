import type { AddCommand } from './command.ts';
import { addTraceGenerate } from './trace-generate.ts';
import { addTraceImport } from './trace-import.ts';

const NOTES = `
A trace is what \`sandman simulate\` reads: who was active when, a line each,
  {"uuid", "at", "event"?: "activity" or "logout", "kind"?: "user" or "background"}

There is no export from a running Sandman: it keeps when sessions were last
active, not each time they were, and what it did to them is not what users did.

Examples:
  sandman trace generate --workload assistant --output office.ndjson
  sandman trace import access.log --session-from path:/chat/:session/message`;

/** `sandman trace`: makes what `simulate` reads. Needs no API. */
export const addTrace: AddCommand = (program, surroundings) => {
  const trace = program
    .command('trace')
    .summary('make a trace for simulate, of chance or from an access log')
    .description('Makes a trace for simulate.')
    .addHelpText('after', NOTES);
  addTraceGenerate(trace, surroundings);
  addTraceImport(trace, surroundings);
};
