import { type FileHandle, open } from 'node:fs/promises';
import { CommandFailure, EXIT } from './exit.ts';
import type { Surroundings } from './output.ts';

/** Characters to a write: a call for each line would take most of the time. */
const CHUNK = 1 << 18;

type Lines = Iterable<string> | AsyncIterable<string>;

async function pour(lines: Lines, write: (chunk: string) => Promise<unknown>): Promise<void> {
  let chunk = '';
  for await (const line of lines) {
    chunk += line;
    if (chunk.length < CHUNK) continue;
    await write(chunk);
    chunk = '';
  }
  if (chunk) await write(chunk);
}

/** Opened at the first chunk: what fails before it has any leaves the file as it was. */
async function toFile(lines: Lines, path: string): Promise<void> {
  let file: FileHandle | undefined;
  try {
    await pour(lines, async (chunk) => {
      file ??= await open(path, 'w');
      await file.appendFile(chunk);
    });
  } finally {
    await file?.close();
  }
}

/** Each chunk waits for its call back: that is where a reader who left is noticed, and a slow one waited for. */
function toStream(lines: Lines, stream: NodeJS.WriteStream): Promise<void> {
  return pour(
    lines,
    (chunk) => new Promise<void>((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve()))),
  );
}

/**
 * Writes a trace as it is made, with little memory whatever its length.
 *
 * @param lines with their ends; several may come together
 * @param path of a file, which is overwritten; without one it goes to stdout
 * @returns false when the reader of stdout has left, as `| head` does: nothing to complain about
 * @throws CommandFailure when it cannot be written
 */
export async function writeTrace(lines: Lines, path: string | undefined, { stdout }: Surroundings): Promise<boolean> {
  try {
    await (path === undefined ? toStream(lines, stdout) : toFile(lines, path));
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    // Not of the writing: what makes the lines failed.
    if (code === undefined || syscall === undefined) throw error;
    if (path === undefined && code === 'EPIPE') return false;
    throw new CommandFailure(EXIT.usage, `cannot write ${path ?? 'to stdout'}: ${code}`);
  }
}
