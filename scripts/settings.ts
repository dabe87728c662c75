/** `npm run docs:settings`: writes the table of docs/settings.md from the variables that processes read. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCommand } from '../packages/sandbox/src/command-line.ts';
import { withTable } from './settings/table.ts';

const USAGE = `usage: npm run docs:settings

Writes the table of docs/settings.md from packages/runtime/src/variables.ts.
Exit code 0: done; 1: the page has no place for the table; 2: wrong arguments.`;

await runCommand(async (args) => {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const path = new URL('../docs/settings.md', import.meta.url);
  writeFileSync(path, withTable(readFileSync(path, 'utf8')));
  return 0;
});
