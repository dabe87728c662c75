import { formatLine, LONGEST_LINE, LogImport, type LogImportOptions } from '@sandman/replay';
import { CommandFailure, EXIT } from '../exit.ts';
import type { ProcessIo } from '../output.ts';
import { ProgressLine } from '../progress-line.ts';
import { checkOutput, readLines } from './input.ts';
import { writeTrace } from './trace-output.ts';

/** Summarizes in one line how many lines were taken and left out. */
function sumOf({ lines, events, malformed, firstMalformed, otherStatus, noSession, noUuid }: LogImport): string {
  const left = [
    malformed && `${malformed} malformed (the first is line ${firstMalformed})`,
    otherStatus && `${otherStatus} of another status`,
    noSession && `${noSession} without a session`,
    noUuid && `${noUuid} whose session is not a uuid (--hash takes any text)`,
  ].filter(Boolean);
  return `${events} of ${lines} lines taken${left.length > 0 ? `; left out: ${left.join(', ')}` : ''}`;
}

async function* taken(log: LogImport, lines: AsyncIterable<string[]>, progressLine: ProgressLine): AsyncGenerator<string> {
  for await (const some of lines) {
    let text = '';
    for (const line of some) {
      const event = log.take(line);
      if (event) text += formatLine(event);
    }
    if (text) yield text;
    progressLine.show(`read: ${log.lines.toLocaleString('en')} lines`);
  }
}

/** Writes a trace of an access log. @param path of the log; `-` is standard input */
export async function importLog(path: string, options: LogImportOptions, output: string | undefined, io: ProcessIo): Promise<void> {
  checkOutput(path, output);
  using progressLine = new ProgressLine(io.stderr);
  const log = new LogImport(options);
  const whole = await writeTrace(taken(log, readLines(path, io.stdin, LONGEST_LINE), progressLine), output, io);
  if (!whole) return;
  if (log.lines > 0 && log.events === 0) {
    const hint = log.malformed === log.lines ? 'is --format right?' : 'are --session-from and --only-status right?';
    throw new CommandFailure(EXIT.failed, `${sumOf(log)}: ${hint}`);
  }
  progressLine.clear();
  io.stderr.write(`${sumOf(log)}\n`);
}
