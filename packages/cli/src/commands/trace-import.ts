import {
  LOG_FORMATS,
  type LogFormat,
  parseSessionSource,
  parseStatusFilter,
  parseZone,
  type SessionSource,
  TABLE_FORMATS,
  type TableFormat,
  type Zone,
} from '@sandman/replay';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { orInvalidArgument } from '../options.ts';
import type { ProcessIo } from '../output.ts';
import { importLog } from '../traces/import-log.ts';
import { importTable } from '../traces/import-table.ts';
import type { AddCommand } from './command.ts';

interface Options {
  readonly format: LogFormat | TableFormat;
  readonly sessionFrom?: SessionSource;
  readonly onlyStatus: (status: number) => boolean;
  readonly background: readonly string[];
  readonly session?: string;
  readonly at?: string;
  readonly kind?: string;
  readonly zone?: Zone;
  readonly hash?: true;
  readonly output?: string;
}

const NOTES = `
A table (--format csv or ndjson), as databases export it:
  csv             a header line, then comma-separated rows with quotes as RFC 4180
                  has them
  ndjson          a JSON object a line; author.id is the field id of author
  --at            ISO 8601 with its zone (or --zone), or Unix seconds, ms or us,
                  told apart by their size
  --kind          user or human; background, assistant, agent, ai, bot, system or
                  tool, which count as background; without it all are users

Where the session stands in a line of an access log (--session-from):
  query:NAME      a parameter of the request's query
  path:TEMPLATE   :session in its path; * is any one segment, at the end any more
  user            the name that the client logged in by
  regex:PATTERN   the one group of a pattern, matched against the whole line

Lines that have no event are counted by the reason and left out. A column that
is missing, or a time without a zone, ends the command, and nothing is written.

Examples:
  sandman trace import messages.csv --format csv --session chat_id --at created_at \\
    --kind role -o week.ndjson
  mongoexport … | sandman trace import - --format ndjson --session chat.id \\
    --at 'createdAt.$date'
  sandman trace import access.log --session-from path:/chat/:session/message
  zcat access.log.*.gz | sandman trace import - --session-from query:sid \\
    --background /poll --background /heartbeat -o week.ndjson
  sandman trace import access.log --session-from user --hash
  sandman trace import access.log --session-from 'regex: session=([a-z0-9]+)$'`;

/** The options that belong to one kind of formats alone. */
const LOG_OPTIONS = ['sessionFrom', 'onlyStatus', 'background'];
const TABLE_OPTIONS = ['session', 'at', 'kind', 'zone'];

function isTable(format: Options['format']): format is TableFormat {
  return (TABLE_FORMATS as readonly string[]).includes(format);
}

function prefixOption(text: string, before: readonly string[]): string[] {
  if (!text.startsWith('/')) throw new InvalidArgumentError('It must be the beginning of a path, such as /poll.');
  return [...before, text];
}

function columnOption(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must be the name of a column.');
  return text;
}

/** Refuses options that the format does not have, and the lack of those that it needs. */
function checkOptions(command: Command, format: Options['format'], required: readonly string[]): void {
  const [foreign, of] = isTable(format) ? [LOG_OPTIONS, LOG_FORMATS] : [TABLE_OPTIONS, TABLE_FORMATS];
  const flagsOf = (name: string) => command.options.find((option) => option.attributeName() === name)!.flags;
  const given = foreign.find((name) => command.getOptionValueSource(name) === 'cli');
  if (given) throw new CommandFailure(EXIT.usage, `option '${flagsOf(given)}' is for --format ${of.join(' and ')}, not ${format}`);
  const missing = required.find((name) => command.getOptionValue(name) === undefined);
  if (missing) throw new CommandFailure(EXIT.usage, `required option '${flagsOf(missing)}' not specified (--format ${format})`);
}

async function run(path: string, options: Options, command: Command, io: ProcessIo): Promise<void> {
  const { format, sessionFrom, onlyStatus: counts, background, session, at, kind = null, zone = null, hash = false, output } = options;
  if (isTable(format)) {
    checkOptions(command, format, ['session', 'at']);
    return importTable(path, format, { columns: { session: session!, at: at!, kind }, zone, hash }, output, io);
  }
  checkOptions(command, format, ['sessionFrom']);
  return importLog(path, { format, session: sessionFrom!, counts, background, hash }, output, io);
}

/** Adds `sandman trace import`, which makes a trace from an exported table or from a web server's access log. */
export const addTraceImport: AddCommand = (trace, io) => {
  trace
    .command('import')
    .summary("make one from a database's table of messages, or from an access log")
    .description(
      'Makes a trace from a table that a database exported, such as that of messages, or from the access log of nginx, Apache and others like them.',
    )
    .argument('<file>', 'the table or log; - reads standard input')
    .addOption(new Option('--format <name>', 'what the file is').choices([...LOG_FORMATS, ...TABLE_FORMATS]).default('combined'))
    .addOption(new Option('--session <column>', 'table: the column that names the session').argParser(columnOption))
    .addOption(new Option('--at <column>', 'table: the column with the time').argParser(columnOption))
    .addOption(new Option('--kind <column>', 'table: the column that tells users from background').argParser(columnOption))
    .addOption(
      new Option('--zone <zone>', 'table: the zone of times without one, such as UTC or Europe/Berlin').argParser((text) =>
        orInvalidArgument(() => parseZone(text, 'It')),
      ),
    )
    .addOption(
      new Option('--session-from <where>', 'log: where a line names the session, see below').argParser((text) =>
        orInvalidArgument(() => parseSessionSource(text, 'It')),
      ),
    )
    .addOption(
      new Option('--only-status <list>', 'log: requests that count, such as 2xx,101')
        .argParser((text) => orInvalidArgument(() => parseStatusFilter(text, 'It')))
        .default(parseStatusFilter('2xx', ''), '2xx'),
    )
    .addOption(
      new Option('--background <prefix>', 'log: paths that no person asked for begin so; may be repeated')
        .argParser(prefixOption)
        .default([], 'none'),
    )
    .option('--hash', "a hash in each session's place: any text will do, and names stay out of it")
    .option('-o, --output <file>', 'overwrites it; without this, to stdout')
    .addHelpText('after', NOTES)
    .action((path: string, options: Options, command: Command) => run(path, options, command, io));
};
