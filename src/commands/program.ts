import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../app/exit-code.js';
import { version } from '../app/package-files.js';
import { EdgeError } from '../base/errors.js';
import type { ConfigSources } from '../config/load.js';
import { parseTime } from '../config/units.js';
import type { AdminClient, AdminFlags } from './admin-client.js';
import type { InspectOptions } from './inspect.js';
import type { PurgeFlags } from './purge.js';
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

/** Flags of `serve` that say where the tiers are. */
const TIER_FLAGS = SERVE_FLAGS.filter(({ spec }) => /^--(port|memory-file|disk) /.test(spec));

function addInspectCache(program: Command): void {
  const command = program
    .command('inspect-cache')
    .description('tell what the memory and disk tiers of an edge hold, while it runs or is down')
    .option('--config <file>', 'configuration of the edge');
  for (const { spec, text } of TIER_FLAGS) command.option(spec, text);
  command.action(async (options: Record<string, unknown>) => {
    const { inspectTiers } = await import('./inspect-tiers.js');
    const sources = {
      file: options.config as string | undefined,
      flags: flagValues(undefined, options),
      env: process.env,
    };
    process.exitCode = await inspectTiers(sources, text => process.stdout.write(text));
  });
}

function addAdminCommands(program: Command): void {
  const onAdmin: OnAdmin = (name, text, parent) =>
    (parent ?? program)
      .command(name)
      .description(text)
      .option('--admin <url>', 'admin port of the edge (http://localhost:8081)')
      .option('--token-file <file>', 'file with the admin token; or in the environment as MOOVEDGE_ADMIN_TOKEN')
      .option('--token <token>', 'admin token; others may see it in the list of processes for a moment')
      .option('--config <file>', 'configuration of the edge, to read both from');
  const client = async (flags: AdminFlags) => new (await import('./admin-client.js')).AdminClient(flags, process.env);

  onAdmin('prefetch', 'fill the cache of a running edge')
    .argument('<urls...>', 'as players ask for them, or paths')
    .option('--seconds <n>', 'only what a player needs for the first n seconds')
    .option('--hls', 'as players of HLS do: playlists and all segments that they name')
    .action(async (urls: string[], flags: AdminFlags & { seconds?: string; hls?: boolean }) => {
      const { prefetch } = await import('./prefetch.js');
      await prefetch(await client(flags), urls, flags);
    });
  onAdmin('purge', 'make a running edge forget files')
    .argument('[urls...]', 'as players ask for them, or paths')
    .option('--prefix <path>', 'everything whose path begins with it')
    .option('--all', 'everything')
    .option('--soft', 'mark stale instead: the next request asks the origin whether the file has changed')
    .action(async (urls: string[], flags: AdminFlags & PurgeFlags) => {
      const { purge } = await import('./purge.js');
      await purge(await client(flags), urls, flags);
    });
  addClusterCommands(program, onAdmin, client);
  onAdmin('top', 'live view of a running edge in the terminal')
    .option('--interval <time>', 'time between views', readInterval, 1000)
    .action(async (flags: AdminFlags & { interval: number }) => {
      const { top } = await import('./top.js');
      await top(await client(flags), flags.interval);
    });
  onAdmin('why', 'tell why a running edge answers a URL as it does: route, key, origin, freshness, tiers')
    .argument('<url>', 'as players ask for it, or a path')
    .action(async (url: string, flags: AdminFlags) => {
      const { why } = await import('./why.js');
      await why(await client(flags), url, text => process.stdout.write(text));
    });
}

/** Uploads, and the films that are made of them. */
function addPipelineCommands(program: Command): void {
  interface PipelineFlags {
    readonly config?: string;
    readonly adminPort?: string;
  }
  const sourcesOf = ({ config, adminPort }: PipelineFlags): ConfigSources => ({
    file: config,
    flags: adminPort === undefined ? [] : [{ flag: '--admin-port', path: ['admin', 'port'], value: adminPort }],
    env: process.env,
  });
  const command = (name: string, text: string, parent = program) =>
    parent.command(name).description(text).option('--config <file>', 'YAML file with storage and jobs');
  const write = (text: string) => process.stdout.write(text);
  command('upload', 'take uploads that go on after any break (tus 1.0), and queue them for transcoding')
    .option('--admin-port <port>', 'port for health and the page of the queue')
    .action(async (flags: PipelineFlags) =>
      (await optional(() => import('../pipeline/upload/upload-role.js'))).upload(sourcesOf(flags)),
    );
  command('transcode', 'make films of uploads, in several qualities, as the queue asks')
    .option('--admin-port <port>', 'port for health and the page of the queue')
    .action(async (flags: PipelineFlags) =>
      (await optional(() => import('../pipeline/transcode/transcode-role.js'))).transcode(sourcesOf(flags)),
    );
  const jobs = program.command('jobs').description('look at the queue of films that are to be made, and change it');
  const load = () => optional(() => import('./jobs.js'));
  command('list', 'what is running, waiting, failed and done', jobs)
    .option('--json', 'for machines')
    .action(async (flags: PipelineFlags & { json?: boolean }) =>
      (await load()).listJobs(sourcesOf(flags), flags.json === true, write),
    );
  command('retry', 'have failed jobs tried again', jobs)
    .argument('<ids...>', 'of jobs')
    .action(async (ids: string[], flags: PipelineFlags) => (await load()).retryJobs(sourcesOf(flags), ids, write));
  command('cancel', 'remove jobs and their uploads; those that run end within seconds', jobs)
    .argument('<ids...>', 'of jobs')
    .action(async (ids: string[], flags: PipelineFlags) => (await load()).cancelJobs(sourcesOf(flags), ids, write));
  command('rebuild', 'make the jobs of all uploads that have neither film nor job', jobs).action(
    async (flags: PipelineFlags) => (await load()).rebuildQueue(sourcesOf(flags), write),
  );
}

/** Loads what needs packages that not every machine has. @throws EdgeError `bad_config` that names what is missing */
async function optional<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const name = /package '([^']+)'/.exec(message)?.[1] ?? 'an optional package';
    throw new EdgeError('bad_config', `expected the package ${name}, which is not installed: npm install ${name}`, {
      cause,
    });
  }
}

/** Makes a command that asks a running edge. */
type OnAdmin = (name: string, text: string, parent?: Command) => Command;

function addClusterCommands(
  program: Command,
  onAdmin: OnAdmin,
  client: (flags: AdminFlags) => Promise<AdminClient>,
): void {
  const cluster = program.command('cluster').description('look at the cluster of a running edge, and change it');
  const write = (text: string) => process.stdout.write(text);
  const load = () => import('./cluster.js');
  onAdmin('status', 'nodes, what they own, and how etcd is reached', cluster).action(async (flags: AdminFlags) =>
    (await load()).clusterStatus(await client(flags), write),
  );
  for (const [kind, text] of [
    ['drain', 'take the films from a node, which then leaves the cluster'],
    ['undrain', 'let a drained node have films again'],
  ] as const) {
    onAdmin(kind, text, cluster)
      .argument('<node>', 'its id')
      .action(async (node: string, flags: AdminFlags) =>
        (await load()).changeDrain(await client(flags), kind, node, write),
      );
  }
  onAdmin('plan', 'what a new map would change, of the nodes that are up now', cluster)
    .option('--apply', 'make it, without waiting for nodes that are away')
    .action(async (flags: AdminFlags & { apply?: boolean }) =>
      (await load()).clusterPlan(await client(flags), flags.apply === true, write),
    );
  onAdmin('where', 'which node serves a path', cluster)
    .argument('<path>', 'such as /film.mp4')
    .action(async (path: string, flags: AdminFlags) => (await load()).clusterWhere(await client(flags), path, write));
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0 && seconds < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError('Expected seconds, such as 12.5.');
  return seconds;
}

function readInterval(text: string): number {
  const interval = parseTime(text);
  if (interval === undefined || interval < 100 || interval > 3_600_000) {
    throw new InvalidArgumentError('Expected a time from 100ms to 1h.');
  }
  return interval;
}
