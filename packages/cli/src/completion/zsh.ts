import type { Command } from 'commander';
import { type CommandWords, completionWords, type OptionWords } from './words.ts';

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
/** Escapes the characters that `_arguments` and `_describe` read as the end of a part. */
const escaped = (text: string) => text.replace(/[\\:[\]]/g, '\\$&');

/** Makes specs for `_arguments`, one for each form of the flag. */
function optionSpecs({ flags, about, takesValue, values }: OptionWords): string[] {
  const value = takesValue ? `:value:${values.length > 0 ? `(${values.join(' ')})` : ''}` : '';
  return flags.map((flag) => quoted(`${flag}${takesValue && flag.startsWith('--') ? '=' : ''}[${escaped(about)}]${value}`));
}

function branch({ name, options, values }: CommandWords): string {
  const argument = values.length > 0 ? [quoted(`1:value:(${values.join(' ')})`)] : [];
  return `        ${name}) _arguments ${[...options.flatMap(optionSpecs), ...argument].join(' ')} ;;`;
}

/** Makes the script for `source <(sandman completion zsh)` after `compinit`, or for a file `_sandman` in `fpath`. */
export function zshCompletion(program: Command): string {
  const { own, commands } = completionWords(program);
  return `#compdef sandman
_sandman() {
  local state line
  local -a commands
  commands=(${commands.map(({ name, about }) => quoted(`${name}:${escaped(about)}`)).join(' ')})
  _arguments -C ${own.options.flatMap(optionSpecs).join(' ')} '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${commands.map(branch).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _sandman ]]; then _sandman "$@"; else compdef _sandman sandman; fi
`;
}
