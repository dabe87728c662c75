import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { CommandFailure, EXIT } from './exit.ts';

/**
 * Yields the lines of a text without their ends, as many at a time as a chunk completes.
 *
 * @param longest an unfinished line is cut to this many characters and one more, so that a text without line ends cannot fill
 * the memory
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
 * Reads the lines of a log, several at a time.
 *
 * @param path of a file; `-` is standard input
 * @param longest line that the caller takes, in characters. A longer one may be cut, but stays longer than this
 * @throws CommandFailure if the log cannot be read
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
