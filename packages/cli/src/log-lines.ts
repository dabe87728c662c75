import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { CommandFailure, EXIT } from './exit.ts';

/**
 * The lines of a text, as many at a time as come together, without their ends.
 *
 * @param longest of a longer line only so many characters and one more are kept: what has no ends must not fill the memory
 */
async function* linesOf(stream: Readable, longest: number): AsyncGenerator<string[]> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop()!.slice(0, longest + 1);
    yield lines;
  }
  if (rest) yield [rest];
}

/**
 * Reads a log.
 *
 * @param path of a file; `-` is standard input
 * @param longest line, in characters; of longer ones this and one character more
 * @throws CommandFailure when it cannot be read
 */
export async function* readLines(path: string, stdin: Readable, longest: number): AsyncGenerator<string[]> {
  try {
    yield* linesOf(path === '-' ? stdin : createReadStream(path), longest);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    throw new CommandFailure(EXIT.usage, `cannot read ${path}: ${code}`);
  }
}
