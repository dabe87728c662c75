import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandFailure, EXIT } from '../exit.ts';
import type { ProcessIo } from '../output.ts';

/** Characters in one write. A write for each line would take most of the time. */
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

/** Writes to a file. Opens it at the first chunk, so that an earlier failure leaves an existing file as it was. */
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

/** Writes to a stream and waits for each chunk's callback, which reports a closed pipe and holds back for a slow reader. */
function toStream(lines: Lines, stream: NodeJS.WriteStream): Promise<void> {
  return pour(
    lines,
    (chunk) => new Promise<void>((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve()))),
  );
}

/**
 * Writes a trace while it is made, with little memory for any length.
 *
 * @param lines with their ends; an item may hold several
 * @param path of a file, which is overwritten; without one the trace goes to stdout
 * @returns false if the reader of stdout has left, as `head` does, which is no failure
 * @throws CommandFailure if the trace cannot be written
 */
export async function writeTrace(lines: Lines, path: string | undefined, { stdout }: ProcessIo): Promise<boolean> {
  try {
    await (path === undefined ? toStream(lines, stdout) : toFile(lines, path));
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    // The error is not from the writing but from the source of the lines.
    if (code === undefined || syscall === undefined) throw error;
    if (path === undefined && code === 'EPIPE') return false;
    throw new CommandFailure(EXIT.usage, `cannot write ${path ?? 'to stdout'}: ${code}`);
  }
}

/** Opens an empty file that no folder names, so that nothing of it stays when the process ends, however it ends. */
async function openUnnamed(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'sandman-trace-'));
  try {
    return await open(join(folder, 'trace'), 'w+');
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Writes a trace as {@link writeTrace} does, but only when all of it has been made: if `lines` or `check` throws, nothing is written. Until
 * then the trace is in a temporary file.
 *
 * @param check called before the first line is written
 */
export async function writeWholeTrace(lines: Lines, path: string | undefined, io: ProcessIo, check: () => void): Promise<boolean> {
  await using made = await openUnnamed();
  await pour(lines, (chunk) => made.appendFile(chunk));
  check();
  return await writeTrace(made.createReadStream({ encoding: 'utf8', start: 0, autoClose: false }), path, io);
}
