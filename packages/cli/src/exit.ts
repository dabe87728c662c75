import { printable } from './terminal-text.ts';

/** What the process ends with. */
export const EXIT = {
  done: 0,
  /** The server refused, or something failed. */
  failed: 1,
  /** Wrong arguments, or a wrong environment. */
  usage: 2,
  /** No answer came. */
  unreachable: 3,
  /** Ctrl-C, by the shells' convention. */
  interrupted: 130,
} as const;

type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with this exit code; its message is the one line that says what is wrong and what to do. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, line: string, options?: ErrorOptions) {
    super(printable(line), options);
    this.exitCode = exitCode;
  }
}
