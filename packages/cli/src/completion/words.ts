import type { Command, Option } from 'commander';

/** One option, as a shell completes it. */
export interface OptionWords {
  /** `--status`, and its short form. */
  readonly flags: readonly string[];
  readonly about: string;
  readonly takesValue: boolean;
  /** Its possible values; empty if any value is allowed. */
  readonly values: readonly string[];
}

/** One command. The program itself counts as a command without a name. */
export interface CommandWords {
  readonly name: string;
  readonly about: string;
  /** Its own options, those of its subcommands, and the global ones, which may follow any command. */
  readonly options: readonly OptionWords[];
  /** Its subcommands, or the possible values of its arguments; empty if any value is allowed. */
  readonly values: readonly string[];
}

function optionWords({ long, short, description, required, optional, argChoices = [] }: Option): OptionWords {
  const flags = [long, short].filter((flag) => typeof flag === 'string');
  return { flags, about: description, takesValue: required || optional, values: argChoices };
}

/** Reads what can be completed from the program itself, so that new commands are included. */
export function completionWords(program: Command): { readonly own: CommandWords; readonly commands: readonly CommandWords[] } {
  const help = program.createHelp();
  const options = help.visibleOptions(program).map(optionWords);
  const known = new Set(options.map(({ flags }) => flags[0]));
  const commands = help.visibleCommands(program).map((command) => {
    const subcommands = help.visibleCommands(command);
    const further = new Map<string | undefined, OptionWords>();
    for (const option of [command, ...subcommands].flatMap((one) => help.visibleOptions(one)).map(optionWords)) {
      const [flag] = option.flags;
      if (!known.has(flag)) further.set(flag, option);
    }
    return {
      name: command.name(),
      about: help.subcommandDescription(command),
      options: [...further.values(), ...options],
      values: [
        ...command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
        ...subcommands.map((subcommand) => subcommand.name()),
      ],
    };
  });
  return { own: { name: '', about: '', options, values: commands.map(({ name }) => name) }, commands };
}
