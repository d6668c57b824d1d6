import { EdgeError } from '../base/errors.js';
import type { Command } from './command-line.js';

/** A command as shells complete it. */
interface Completed {
  /** Names of the commands that lead to it, such as `cluster status`; empty for the program itself. */
  readonly place: string;
  /** Commands below it: name and what it does. */
  readonly commands: readonly Word[];
  readonly flags: readonly Word[];
}

interface Word {
  readonly name: string;
  readonly text: string;
}

/** The program, and every command below it. */
function completed(command: Command, place = ''): Completed[] {
  const flags = command.createHelp().visibleOptions(command);
  const commands = command.createHelp().visibleCommands(command);
  return [
    {
      place,
      commands: commands.map(each => ({ name: each.name(), text: each.description() })),
      flags: flags.flatMap(({ long, description: text }) => (typeof long === 'string' ? { name: long, text } : [])),
    },
    // What `help` takes are the commands themselves.
    ...commands
      .filter(each => each.name() !== 'help')
      .flatMap(each => completed(each, `${place} ${each.name()}`.trim())),
  ];
}

/**
 * A script that has a shell complete the command line.
 * @param shell `bash`, `zsh` or `fish`
 * @throws EdgeError `usage` for another
 */
export function completionScript(program: Command, shell: string): string {
  const commands = completed(program);
  const name = program.name();
  switch (shell) {
    case 'bash':
      return bash(name, commands);
    case 'zsh':
      return zsh(name, commands);
    case 'fish':
      return fish(name, commands);
    default:
      throw new EdgeError('usage', `expected bash, zsh or fish, found ${JSON.stringify(shell)}`);
  }
}

/** Patterns of a `case` that follow the words of a command line down to the command that they name. */
function places(commands: readonly Completed[]): string {
  return commands.flatMap(({ place }) => (place === '' ? [] : `"${place}"`)).join('|');
}

function bash(name: string, commands: readonly Completed[]): string {
  const cases = commands.map(({ place, commands: below, flags }) => {
    const words = (list: readonly Word[]) => list.map(word => word.name).join(' ');
    return `    "${place}") commands="${words(below)}" flags="${words(flags)}" ;;`;
  });
  return `# Completion of bash for ${name}: source <(${name} completion bash)
_${name}() {
  local at="" commands="" flags="" i next
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${at:+$at }\${COMP_WORDS[i]}"
    case "$next" in ${places(commands)}) at="$next" ;; esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  local current="\${COMP_WORDS[COMP_CWORD]}"
  # What is no flag and no command may be a file, which the shell completes by itself.
  if [[ "$current" == -* ]]; then commands="$flags"; fi
  COMPREPLY=($(compgen -W "$commands" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

/** Text within single quotes of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zsh(name: string, commands: readonly Completed[]): string {
  const items = (list: readonly Word[]) =>
    list.map(({ name: word, text }) => quoted(`${word}:${text.replaceAll(':', '\\:')}`)).join(' ');
  const cases = commands.map(
    ({ place, commands: below, flags }) =>
      `    "${place}")\n      commands=(${items(below)})\n      flags=(${items(flags)}) ;;`,
  );
  return `#compdef ${name}
# Completion of zsh for ${name}: put it into a folder of $fpath as _${name}
_${name}() {
  local at="" next word
  local -a commands flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${at:+$at }$word"
    case "$next" in (${places(commands)}) at="$next" ;; esac
  done
  case "$at" in
${cases.map(each => each.replace('    "', '    ("')).join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o flag flags
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(name: string, commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ place, commands: below, flags }) => {
    const names = below.map(word => word.name).join(' ');
    const seen = place.split(' ').map(word => (word === '' ? '' : `__fish_seen_subcommand_from ${word}`));
    const here = seen.filter(Boolean).join('; and ');
    const condition = place === '' ? '__fish_use_subcommand' : here;
    const beneath = names === '' || place === '' ? condition : `${here}; and not __fish_seen_subcommand_from ${names}`;
    const line = (when: string, rest: string) => `complete -c ${name} -n ${quoted(when)} ${rest}`;
    return [
      ...below.map(word => line(beneath, `-f -a ${word.name} -d ${quoted(word.text)}`)),
      ...flags.map(word => line(condition, `-l ${word.name.slice(2)} -d ${quoted(word.text)}`)),
    ];
  });
  return `# Completion of fish for ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish\n${lines.join('\n')}\n`;
}
