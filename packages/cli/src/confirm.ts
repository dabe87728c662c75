import { createInterface } from 'node:readline/promises';
import { CommandFailure, EXIT } from './exit.ts';
import type { ProcessIo } from './output.ts';

/**
 * Asks the operator a question; any answer but `y` or `yes` is a no.
 *
 * @throws CommandFailure if there is no terminal, on no, and on Ctrl-C or Ctrl-D
 */
export async function confirm(question: string, { stdin, stderr }: ProcessIo): Promise<void> {
  if (!stdin.isTTY || !stderr.isTTY) throw new CommandFailure(EXIT.usage, `${question} There is no terminal to ask: use --yes`);
  const lines = createInterface({ input: stdin, output: stderr });
  const leaving = new Promise<never>((_, reject) => {
    lines.once('SIGINT', () => reject(new CommandFailure(EXIT.interrupted, 'nothing was done')));
    // Ctrl-D.
    lines.once('close', () => reject(new CommandFailure(EXIT.failed, 'nothing was done')));
  });
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `), leaving]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure(EXIT.failed, 'nothing was done');
  } finally {
    leaving.catch(() => {});
    lines.close();
  }
}
