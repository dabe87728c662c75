import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));

/** A command of a console block, and what stands below it. */
export interface Example {
  readonly command: string;
  readonly output: string;
}

/** The commands of all console blocks of a text in Markdown, in their order. */
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
 * Runs a document's commands, one after the other, in a folder. A file that it only shows, by `cat`, is made as shown.
 *
 * @returns what each wrote, to stdout and stderr as they came
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
