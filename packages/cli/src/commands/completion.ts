import { Argument, type Command } from 'commander';
import { bashCompletion } from '../completion/bash.ts';
import { fishCompletion } from '../completion/fish.ts';
import { zshCompletion } from '../completion/zsh.ts';
import type { AddCommand } from './command.ts';

const SHELLS: Readonly<Record<string, (program: Command) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

const EXAMPLES = `
It completes the word sandman, so give the command that name first:
  sandman() { npm run --silent --prefix ~/sandman sandman -- "$@"; }

Examples:
  source <(sandman completion bash)
  source <(sandman completion zsh)
  sandman completion fish | source`;

/** Adds `sandman completion`, which prints a completion script for a shell. */
export const addCompletion: AddCommand = (program, { stdout }) => {
  program
    .command('completion')
    .summary('print a script that makes a shell complete commands')
    .description('Prints a script that makes a shell complete commands, options and their values.')
    .addArgument(new Argument('<shell>', 'which').choices(Object.keys(SHELLS)))
    .addHelpText('after', EXAMPLES)
    .action((shell: string) => {
      stdout.write(SHELLS[shell]!(program));
    });
};
