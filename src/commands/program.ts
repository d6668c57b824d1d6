import { EXIT } from '../app/exit-code.js';
import { version } from '../app/package-files.js';
import { addAdminCommands } from './admin-commands.js';
import { Command, InvalidArgumentError } from './command-line.js';
import type { InspectOptions } from './inspect.js';
import { addPipelineCommands } from './pipeline-commands.js';
import { flagValues, SERVE_FLAGS } from './serve-flags.js';

/**
 * The command line. Each command is loaded when it is used, so that checking a configuration needs no cache and no
 * addon.
 */
export function program(): Command {
  const program = new Command('moovedge')
    .description('Edge caching HTTP pseudo-streaming server for video')
    .version(version())
    .showHelpAfterError('(moovedge --help says more)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.ok : EXIT.usage));
  addServe(program);
  program
    .command('check-config')
    .description('check a configuration file: exit 0, or 78 and every mistake as file:line:column')
    .argument('<file>')
    .action(async (file: string) => (await import('./check-config.js')).checkConfig(file));
  program
    .command('inspect')
    .description('tell the tracks and key frames of a film, where its moov stands, and what a seek costs')
    .argument('<film>', 'file or http(s) URL')
    .option('--start <seconds>', 'second to seek to; the middle when left out', readSeconds)
    .option('--json', 'for machines')
    .action(async (film: string, options: InspectOptions) => {
      const { inspect } = await import('./inspect.js');
      await inspect(film, options, text => process.stdout.write(text));
    });
  addInspectCache(program);
  addHelpCommands(program);
  addAdminCommands(program);
  addPipelineCommands(program);
  return program;
}

function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('serve video from a directory, an HTTP server or an S3 bucket')
    .argument('[origin]', 'directory, http(s)://host/base or s3://bucket/prefix; none: bundled sample clips')
    .option('--config <file>', 'YAML file; flags overrule it (see config.example.yaml)')
    .option('--take-over', 'take port and cache over from an edge that runs, which then drains')
    .addHelpText(
      'after',
      `
Examples:
  moovedge serve                            sample clips on http://localhost:8080
  moovedge serve ~/films --memory 2GiB
  moovedge serve https://storage.example.com/films --disk /var/cache/moovedge --disk-size 200GiB
  moovedge serve --config /etc/moovedge.yaml

Signals: TERM or INT drains and exits, HUP reloads the configuration, USR1 opens log files again.`,
    );
  for (const { spec, text } of SERVE_FLAGS) command.option(spec, text);
  command.action(async (origin: string | undefined, options: Record<string, unknown>) => {
    const { serve } = await import('./serve.js');
    const sources = {
      file: options.config as string | undefined,
      flags: flagValues(origin, options),
      env: process.env,
    };
    await serve({ sources, takeOver: options.takeOver === true });
  });
}

/** What shells, editors and readers of manuals are given. */
function addHelpCommands(program: Command): void {
  const write = (text: string): void => {
    process.stdout.write(text);
  };
  program
    .command('completion')
    .description('print what has a shell complete the command line')
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell: string) => write((await import('./shell-completion.js')).completionScript(program, shell)));
  program
    .command('schema')
    .description('print the JSON Schema of configuration files, by which editors complete and check them')
    .action(async () => write((await import('./schema-text.js')).schemaText()));
  program
    .command('manual', { hidden: true })
    .description('print the manual page')
    .action(async () => write((await import('./manual.js')).manualPage(program)));
}

/** Flags of `serve` that say where the tiers are. */
const TIER_FLAGS = SERVE_FLAGS.filter(({ spec }) => /^--(port|memory-file|disk) /.test(spec));

function addInspectCache(program: Command): void {
  const command = program
    .command('inspect-cache')
    .description('tell what the memory and disk tiers of an edge hold, while it runs or is down')
    .option('--config <file>', 'configuration of the edge')
    .option(
      '--object <id>',
      "tell of each block of an object version, by the id that 'why' tells, why it stays or goes",
    );
  for (const { spec, text } of TIER_FLAGS) command.option(spec, text);
  command.action(async (options: Record<string, unknown>) => {
    const { inspectTiers } = await import('./inspect-tiers.js');
    const sources = {
      file: options.config as string | undefined,
      flags: flagValues(undefined, options),
      env: process.env,
    };
    process.exitCode = await inspectTiers(
      sources,
      text => process.stdout.write(text),
      options.object as string | undefined,
    );
  });
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0 && seconds < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError('Expected seconds, such as 12.5.');
  return seconds;
}
