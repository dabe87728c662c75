import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));

/** A command of a console block, and the output below it. */
export interface Example {
  readonly command: string;
  readonly output: string;
}

/** Returns the commands of all console blocks in a Markdown text, in order. */
export function examplesOf(markdown: string): Example[] {
  return [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block]) =>
    block!
      .split(/^\$ /m)
      .slice(1)
      .map((example) => {
        const end = example.indexOf('\n');
        return { command: example.slice(0, end), output: example.slice(end + 1) };
      }),
  );
}

/**
 * Runs a document's commands in order, in a folder. Creates the files that the document only shows with `cat`.
 *
 * @returns the output of each command, stdout and stderr interleaved as they came
 */
export async function runExamples(examples: readonly Example[], folder: string): Promise<Example[]> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'sandman'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(bin, 'sandman'), 0o755);
  const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, LC_ALL: 'C', NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const ran: Example[] = [];
  for (const { command, output } of examples) {
    const shown = /^cat (\S+)$/.exec(command)?.[1];
    if (shown && !existsSync(join(folder, shown))) await writeFile(join(folder, shown), output);
    const child = spawn('bash', ['--norc', '-c', `exec 2>&1; ${command}`], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
    });
    await once(child, 'close');
    ran.push({ command, output: said });
  }
  return ran;
}
