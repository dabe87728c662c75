/** `npm run client:types`: writes the client's types of the API's answers from the schemas that the API validates with. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCommand } from '../packages/sandbox/src/command-line.ts';
import { clientTypes } from './client-types/declarations.ts';

const USAGE = `usage: npm run client:types

Writes packages/client/src/api-types.ts from packages/contracts/src/schemas.ts and webhook.ts.
Exit code 0: done; 2: wrong arguments.`;

await runCommand(async (args) => {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  writeFileSync(new URL('../packages/client/src/api-types.ts', import.meta.url), clientTypes());
  return 0;
});
