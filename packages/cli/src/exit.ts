import { printable } from './terminal-text.ts';

/** The exit codes of the process. */
export const EXIT = {
  done: 0,
  /** The server refused, or something failed. */
  failed: 1,
  /** Wrong arguments, or a wrong environment. */
  usage: 2,
  /** No answer came. */
  unreachable: 3,
  /** Ctrl-C: 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with an exit code. Its message is one line that says what is wrong and what to do. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, line: string, options?: ErrorOptions) {
    super(printable(line), options);
    this.exitCode = exitCode;
  }
}
