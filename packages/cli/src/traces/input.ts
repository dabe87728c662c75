import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { BadLine, readTrace, type Trace } from '@sandman/replay';
import { CommandFailure, EXIT } from '../exit.ts';
import type { ProgressLine } from '../progress-line.ts';

/**
 * Yields the lines of a text without their ends, as many at a time as a chunk completes.
 *
 * @param longest an unfinished line is cut to this many characters and one more, so that a text without line ends cannot fill
 * the memory
 */
async function* splitLines(stream: Readable, longest: number): AsyncGenerator<string[]> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop()!.slice(0, longest + 1);
    yield lines;
  }
  if (rest) yield [rest];
}

/** Yields what `read` yields of a file. @param path of the file; `-` is standard input @throws CommandFailure if it cannot be read */
async function* reading<T>(path: string, stdin: Readable, read: (stream: Readable) => AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* read(path === '-' ? stdin : createReadStream(path));
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    throw new CommandFailure(EXIT.usage, `cannot read ${path}: ${code}`);
  }
}

/**
 * Reads the lines of a file, several at a time.
 *
 * @param path of a file; `-` is standard input
 * @param longest line that the caller takes, in characters. A longer one may be cut, but stays longer than this
 * @throws CommandFailure if the file cannot be read
 */
export function readLines(path: string, stdin: Readable, longest: number): AsyncGenerator<string[]> {
  return reading(path, stdin, (stream) => splitLines(stream, longest));
}

/** Reads the bytes of a file. @param path of a file; `-` is standard input @throws CommandFailure if the file cannot be read */
export function readChunks(path: string, stdin: Readable): AsyncGenerator<Uint8Array> {
  return reading(path, stdin, (stream) => stream);
}

function isSameFile(path: string, output: string): boolean {
  const [a, b] = [path, output].map((name) => statSync(name, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** Refuses an output that is the input. @param path of the input; `-` is standard input @throws CommandFailure */
export function checkOutput(path: string, output: string | undefined): void {
  if (output !== undefined && path !== '-' && isSameFile(path, output)) {
    throw new CommandFailure(EXIT.usage, `--output would overwrite ${path}`);
  }
}

/** Reads a trace. @param file of the trace; `-` is standard input @throws CommandFailure if it cannot be read, or a line is malformed */
export async function traceFrom(file: string, stdin: Readable, progressLine: ProgressLine): Promise<Trace> {
  const chunks = file === '-' ? stdin : createReadStream(file, { highWaterMark: 1 << 20 });
  try {
    return await readTrace(chunks, (lines) => progressLine.show(`reading: ${lines.toLocaleString('en')} lines`));
  } catch (error) {
    const of = file === '-' ? 'standard input' : file;
    const unread = !(error instanceof BadLine);
    throw new CommandFailure(EXIT.usage, unread ? `cannot read ${of}: ${(error as Error).message}` : `${of}: ${error.message}`);
  }
}
