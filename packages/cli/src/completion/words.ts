import type { Command, Option } from 'commander';

/** One option, as a shell completes it. */
export interface OptionWords {
  /** `--status`, and its short form. */
  readonly flags: readonly string[];
  readonly about: string;
  readonly takesValue: boolean;
  /** What its value may be; empty where that is anything. */
  readonly values: readonly string[];
}

/** One command; the program itself is one with no name. */
export interface CommandWords {
  readonly name: string;
  readonly about: string;
  /** The program's own among them, which may stand behind any command. */
  readonly options: readonly OptionWords[];
  /** What its arguments may be; empty where that is anything. */
  readonly values: readonly string[];
}

function optionWords({ long, short, description, required, optional, argChoices = [] }: Option): OptionWords {
  const flags = [long, short].filter((flag) => typeof flag === 'string');
  return { flags, about: description, takesValue: required || optional, values: argChoices };
}

/** What can be completed, read from the program itself: so a further command is completed as well. */
export function completionWords(program: Command): { readonly own: CommandWords; readonly commands: readonly CommandWords[] } {
  const help = program.createHelp();
  const options = help.visibleOptions(program).map(optionWords);
  const known = new Set(options.map(({ flags }) => flags[0]));
  const commands = help.visibleCommands(program).map((command) => ({
    name: command.name(),
    about: help.subcommandDescription(command),
    options: [
      ...help
        .visibleOptions(command)
        .map(optionWords)
        .filter(({ flags }) => !known.has(flags[0])),
      ...options,
    ],
    values: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  }));
  return { own: { name: '', about: '', options, values: commands.map(({ name }) => name) }, commands };
}
