import { Command, CommanderError, Option } from 'commander';
import { addAudit } from './commands/audit.ts';
import { addChanges } from './commands/change.ts';
import type { AddCommand } from './commands/command.ts';
import { addCompletion } from './commands/completion.ts';
import { addLogout } from './commands/logout.ts';
import { addRestore } from './commands/restore.ts';
import { addSessions } from './commands/sessions.ts';
import { addShow } from './commands/show.ts';
import { addSimulate } from './commands/simulate.ts';
import { addSpans } from './commands/span.ts';
import { addTrace } from './commands/trace.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { asCommandFailure } from './failure.ts';
import { durationOption } from './options.ts';
import type { ProcessIo } from './output.ts';
import { apiUrl, DEFAULT_URL } from './settings.ts';

/** The commands, in the order of --help. To add one, add a file in commands/ and its name here. */
const COMMANDS: readonly AddCommand[] = [
  addSessions,
  addShow,
  addChanges,
  addLogout,
  addSpans,
  addRestore,
  addAudit,
  addSimulate,
  addTrace,
  addCompletion,
];

const NOTES = `
Environment:
  SANDMAN_URL      where the API is (${DEFAULT_URL})
  SANDMAN_API_KEY  one of its keys; required. It is no option, because others on
                   the machine can read those
  NO_COLOR         no colours

Exit code:
  0    done
  1    the server refused, or something failed
  2    wrong arguments, or a wrong environment
  3    the server cannot be reached
  130  interrupted

Results go to stdout, all else to stderr. Behind npm, say npm run --silent.

Examples:
  sandman sessions --status sleeping
  sandman show 3f9a1c22
  sandman wake 3f9a1c22 --wait 30s
  sandman hold 3f9a1c22 --for 2h`;

/** Joins commander's message, which may have several lines ("(Did you mean …?)"), into one. */
function oneLineError(text: string): string {
  const line = text.replace(/^error: /, '').trim();
  return `sandman: ${line.replace(/\s*\n\s*/g, ' ')} (--help says more)\n`;
}

/** Builds the command line, ready to parse. */
function sandmanProgram(io: ProcessIo): Command {
  const { stdout, stderr } = io;
  const program = new Command('sandman')
    .description("Looks after Sandman's sessions: which there are, why they are as they are, and what is to become of them.")
    .option('--url <url>', "where the API is, in place of SANDMAN_URL's")
    .option('--json', 'results as JSON, for scripts')
    .addOption(
      new Option('--timeout <duration>', 'how long a call may take, at most 5m').argParser(durationOption(300_000)).default(10_000, '10s'),
    )
    .option('--no-color', 'no colours')
    .addHelpText('after', NOTES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(oneLineError(text)),
    })
    .exitOverride();
  for (const add of COMMANDS) add(program, io);
  return program;
}

/**
 * Runs a command line.
 *
 * @param args without the program's name
 * @returns the exit code
 */
export async function runCommandLine(args: readonly string[], io: ProcessIo): Promise<number> {
  const program = sandmanProgram(io);
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    // Commander has already printed it. Help that the user asked for ends with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = error instanceof CommandFailure ? error : asCommandFailure(error, apiUrl(program.opts(), io.env));
    io.stderr.write(`sandman: ${failure.message}\n`);
    return failure.exitCode;
  }
}
