import { statSync } from 'node:fs';
import {
  formatLine,
  LOG_FORMATS,
  LONGEST_LINE,
  type LogFormat,
  LogImport,
  parseSessionSource,
  parseStatusFilter,
  type SessionSource,
} from '@sandman/replay';
import { InvalidArgumentError, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { readLines } from '../log-lines.ts';
import { reading } from '../options.ts';
import type { Surroundings } from '../output.ts';
import { Ticker } from '../ticker.ts';
import { writeTrace } from '../trace-output.ts';
import type { AddCommand } from './command.ts';

interface Options {
  readonly format: LogFormat;
  readonly sessionFrom: SessionSource;
  readonly onlyStatus: (status: number) => boolean;
  readonly background: readonly string[];
  readonly hash?: true;
  readonly output?: string;
}

const NOTES = `
Where the session stands in a line (--session-from):
  query:NAME      a parameter of the request's query
  path:TEMPLATE   :session in its path; * is any one segment, at the end any more
  user            the name that the client logged in by
  regex:PATTERN   the one group of a pattern, matched against the whole line

Lines that are none of the format are counted and left out. Other headers than
Referer and User-Agent are not in these logs.

Examples:
  sandman trace import access.log --session-from path:/chat/:session/message
  zcat access.log.*.gz | sandman trace import - --session-from query:sid \\
    --background /poll --background /heartbeat -o week.ndjson
  sandman trace import access.log --session-from user --hash
  sandman trace import access.log --session-from 'regex: session=([a-z0-9]+)$'`;

function prefixOption(text: string, before: readonly string[]): string[] {
  if (!text.startsWith('/')) throw new InvalidArgumentError('It must be the beginning of a path, such as /poll.');
  return [...before, text];
}

function isSameFile(path: string, output: string): boolean {
  const [a, b] = [path, output].map((name) => statSync(name, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** Summarizes in one line how many lines were taken and left out. */
function sumOf({ lines, events, malformed, firstMalformed, otherStatus, noSession, noUuid }: LogImport): string {
  const left = [
    malformed && `${malformed} malformed (the first is line ${firstMalformed})`,
    otherStatus && `${otherStatus} of another status`,
    noSession && `${noSession} without a session`,
    noUuid && `${noUuid} whose session is no uuid (--hash takes any text)`,
  ].filter(Boolean);
  return `${events} of ${lines} lines taken${left.length > 0 ? `; left out: ${left.join(', ')}` : ''}`;
}

async function* taken(log: LogImport, lines: AsyncIterable<string[]>, ticker: Ticker): AsyncGenerator<string> {
  for await (const some of lines) {
    let text = '';
    for (const line of some) {
      const event = log.take(line);
      if (event) text += formatLine(event);
    }
    if (text) yield text;
    ticker.say(`read: ${log.lines.toLocaleString('en')} lines`);
  }
}

async function importLog(path: string, options: Options, surroundings: Surroundings): Promise<void> {
  const { format, sessionFrom: session, onlyStatus: counts, background, hash = false, output } = options;
  if (output !== undefined && path !== '-' && isSameFile(path, output)) {
    throw new CommandFailure(EXIT.usage, `--output would overwrite ${path}`);
  }
  using ticker = new Ticker(surroundings.stderr);
  const log = new LogImport({ format, session, counts, background, hash });
  const whole = await writeTrace(taken(log, readLines(path, surroundings.stdin, LONGEST_LINE), ticker), output, surroundings);
  if (!whole) return;
  if (log.lines > 0 && log.events === 0) {
    const hint = log.malformed === log.lines ? 'is --format right?' : 'are --session-from and --only-status right?';
    throw new CommandFailure(EXIT.failed, `${sumOf(log)}: ${hint}`);
  }
  ticker[Symbol.dispose]();
  surroundings.stderr.write(`${sumOf(log)}\n`);
}

/** Adds `sandman trace import`, which makes a trace from a web server's access log. */
export const addTraceImport: AddCommand = (trace, surroundings) => {
  trace
    .command('import')
    .summary("make one from a web server's access log")
    .description('Makes a trace from the access log of nginx, Apache and others like them: each request that was answered is activity.')
    .argument('<file>', 'the log; - reads standard input')
    .addOption(new Option('--format <name>', 'what the log is').choices(LOG_FORMATS).default('combined'))
    .addOption(
      new Option('--session-from <where>', 'where a line names the session, see below')
        .argParser((text) => reading(() => parseSessionSource(text, 'It')))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--only-status <list>', 'requests that count, such as 2xx,101')
        .argParser((text) => reading(() => parseStatusFilter(text, 'It')))
        .default(parseStatusFilter('2xx', ''), '2xx'),
    )
    .addOption(
      new Option('--background <prefix>', 'paths that no person asked for begin so; may be repeated')
        .argParser(prefixOption)
        .default([], 'none'),
    )
    .option('--hash', "a hash in each session's place: any text will do, and names stay out of it")
    .option('-o, --output <file>', 'overwrites it; without this, to stdout')
    .addHelpText('after', NOTES)
    .action((path: string, options: Options) => importLog(path, options, surroundings));
};
