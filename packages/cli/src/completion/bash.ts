import type { Command } from 'commander';
import { type CommandWords, completionWords } from './words.ts';

const flagsOf = ({ options }: CommandWords) => options.flatMap(({ flags }) => flags);

/** Makes the branches of `case $command:$before`: the values of each option. */
function valueBranches({ name, options }: CommandWords): string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map(({ flags, values }) => `    ${flags.map((flag) => `${name}:${flag}`).join('|')}) words='${values.join(' ')}' ;;`);
}

/** Makes a branch of `case $command`: the words that may come next. */
function wordBranch(command: CommandWords): string {
  return `        '${command.name}') words='${[...command.values, ...flagsOf(command)].join(' ')}' ;;`;
}

/** Makes the script for `source <(sandman completion bash)`. It does not need the package bash-completion. */
export function bashCompletion(program: Command): string {
  const { own, commands } = completionWords(program);
  const all = [own, ...commands];
  const takers = new Set(all.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue).flatMap(({ flags }) => flags)));
  return `_sandman() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= words= word i
  # bash takes --status=active apart.
  if [[ $current == '=' ]]; then current=; elif [[ $before == '=' ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in
      ${[...takers].join('|')}) ((i++)) ;;
      ${own.values.join('|')}) command=$word; break ;;
    esac
  done
  case $command:$before in
${all.flatMap(valueBranches).join('\n')}
    *) case $command in
${all.map(wordBranch).join('\n')}
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _sandman sandman
`;
}
