import type { Argument, Command, Option } from './command-line.js';

/** Text of a manual page: nothing in it is an instruction of roff. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '\\.\\.\\.')
    .replace(/^([.'])/gm, '\\&$1');
}

function section(title: string, ...lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function shownArgument(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '…' : ''}`;
  return argument.required ? name : `[${name}]`;
}

function option({ flags, description }: Pick<Option, 'flags' | 'description'>): string[] {
  return ['.TP', `.B ${plain(flags)}`, plain(description)];
}

/** A command that does something, with its arguments and options, and those below it. */
function command(each: Command, before = ''): string[] {
  const help = each.createHelp();
  const name = `${before}${each.name()}`;
  const below = help.visibleCommands(each).filter(child => child.name() !== 'help');
  if (below.length > 0) return below.flatMap(child => command(child, `${name} `));
  const shown = each.registeredArguments.map(shownArgument).join(' ');
  return [
    `.SS ${plain(`${name} ${shown}`.trim())}`,
    plain(`${each.description()}.`),
    ...each.registeredArguments.flatMap(argument =>
      argument.description === '' ? [] : ['.TP', `.I ${plain(argument.name())}`, plain(argument.description)],
    ),
    ...help
      .visibleOptions(each)
      .filter(({ long }) => long !== '--help')
      .flatMap(option),
  ];
}

/** Signals of a running edge, and what they do. */
const SIGNALS = [
  ['TERM, INT', 'finish answers and end; at once when told again'],
  ['HUP', 'read the configuration again'],
  ['USR1', 'open log files again by their names'],
  ['USR2', 'let another edge have the files, and end; it is sent by serve --take-over'],
] as const;

/** The program's manual page, in the man macros of roff. */
export function manualPage(program: Command): string {
  const name = program.name();
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${program.version()}"`,
    ...section('NAME', `${name} \\- ${plain(program.description())}`),
    ...section('SYNOPSIS', `.B ${name}`, '.I command', '[\\fIarguments\\fR]'),
    ...section(
      'DESCRIPTION',
      plain(
        'An edge server for video files: it stands between players and slow storage, keeps in memory and on SSD the parts of films that somebody really watches, and answers byte ranges and seeks.',
      ),
    ),
    ...section(
      'COMMANDS',
      ...program.commands.flatMap(each => ((each as { _hidden?: boolean })._hidden ? [] : command(each))),
    ),
    ...section('SIGNALS', ...SIGNALS.flatMap(([signal, text]) => ['.TP', `.B ${signal}`, plain(text)])),
    ...section(
      'EXIT STATUS',
      plain('Those of sysexits.h: 0 done, 64 the command line, 69 the edge or an origin does not answer,'),
      plain('75 try again, 78 the configuration is wrong.'),
    ),
    ...section(
      'FILES',
      '.TP',
      `.I /etc/${name}/${name}.yaml`,
      'The configuration of the service that the Debian package brings.',
      '.TP',
      plain(`.I /dev/shm/${name}-PORT.cache`).replace('\\&.I', '.I'),
      'The memory tier.',
    ),
    ...section(
      'ENVIRONMENT',
      '.TP',
      '.B MOOVEDGE_ADMIN_TOKEN',
      'The token of the admin port, for commands that ask a running edge.',
    ),
  ];
  return `${lines.join('\n')}\n`;
}
