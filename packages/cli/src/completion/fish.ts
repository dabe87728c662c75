import type { Command } from 'commander';
import { type CommandWords, completionWords, type OptionWords } from './words.ts';

const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;

function optionLine({ flags, about, takesValue, values }: OptionWords, where: string): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  const value = takesValue ? ` -x -a ${quoted(values.join(' '))}` : '';
  return `complete -c sandman ${where} ${names}${value} -d ${quoted(about)}`;
}

function lines({ name, about, options, values }: CommandWords): string[] {
  const within = `-n '__fish_seen_subcommand_from ${name}'`;
  return [
    `complete -c sandman -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
    `complete -c sandman ${within} -a ${quoted(values.join(' '))}`,
    ...options.map((option) => optionLine(option, within)),
  ];
}

/** Makes the script for `sandman completion fish | source`. */
export function fishCompletion(program: Command): string {
  const { own, commands } = completionWords(program);
  const before = own.options.map((option) => optionLine(option, '-n __fish_use_subcommand'));
  return ['complete -c sandman -f', ...before, ...commands.flatMap(lines), ''].join('\n');
}
