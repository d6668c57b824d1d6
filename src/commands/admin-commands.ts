import { isListLimit, LIST_LIMIT, LIST_LIMITS } from '../admin/object-list.js';
import { parseSize, parseTime } from '../config/units.js';
import type { AdminClient, AdminFlags } from './admin-client.js';
import type { CleanupFlags } from './cleanup.js';
import { type Command, InvalidArgumentError } from './command-line.js';
import type { DrainFlags } from './control.js';
import type { ListFlags } from './ls.js';
import type { PrefetchFlags } from './prefetch.js';
import type { PurgeFlags } from './purge.js';

/** Adds the commands that ask a running edge, by its admin port. */
export function addAdminCommands(program: Command): void {
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
    .option('--rate <size>', 'bytes a second at most, such as 20MiB', readSize)
    .action(async (urls: string[], flags: AdminFlags & PrefetchFlags) => {
      const { prefetch } = await import('./prefetch.js');
      await prefetch(await client(flags), urls, flags);
    });
  onAdmin('purge', 'make a running edge forget files')
    .argument('[urls...]', 'as players ask for them, or paths')
    .option('--prefix <path>', 'everything whose path begins with it')
    .option('--tag <tags...>', 'everything that the origin has given one of these, by Cache-Tag or Surrogate-Key')
    .option('--glob <pattern>', 'everything whose path fits: * within a segment, ** over several')
    .option('--regex <pattern>', 'everything in whose path and query it is found (RE2)')
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
  onAdmin(
    'cleanup',
    'find memory tiers and catalogs of edges that are gone, which keep memory taken; remove them with --yes',
  )
    .option('--dir <folder>', 'folder to look at (that of the edge with --admin or --config, else /dev/shm)')
    .option('--yes', 'remove them')
    .action(async (flags: AdminFlags & CleanupFlags) => {
      const { cleanup, memoryFileOf } = await import('./cleanup.js');
      // Without a word about an edge there may be none.
      const isAsked = flags.admin !== undefined || flags.config !== undefined;
      const { dir, yes } = flags;
      const used = isAsked ? await memoryFileOf(await client(flags)) : undefined;
      cleanup({ dir, yes, used }, text => process.stdout.write(text));
    });
  onAdmin('ls', 'list what a running edge has cached: size, share in memory and on disk, freshness, tags')
    .argument('[prefix]', 'beginning of paths, as players ask for them')
    .option('--limit <n>', 'most objects', readLimit, LIST_LIMIT)
    .option('--json', 'an object of JSON a line')
    .action(async (prefix: string | undefined, flags: AdminFlags & ListFlags) => {
      const { ls } = await import('./ls.js');
      await ls(await client(flags), prefix, flags, text => process.stdout.write(text));
    });
  addControlCommands(onAdmin, client);
}

/** What controls the process of an edge. */
function addControlCommands(onAdmin: OnAdmin, client: (flags: AdminFlags) => Promise<AdminClient>): void {
  const write = (text: string) => process.stdout.write(text);
  const load = () => import('./control.js');
  onAdmin('status', 'tell in a few lines how a running edge is; exit 0 when it is ready, 75 when it is not')
    .option('--json', 'for machines')
    .action(async (flags: AdminFlags & { json?: boolean }) => {
      process.exitCode = await (await load()).status(await client(flags), flags.json === true, write);
    });
  onAdmin(
    'reload',
    'have a running edge read its configuration again; exit 78 and every mistake when it can not',
  ).action(async (flags: AdminFlags) => (await load()).reload(await client(flags), write));
  onAdmin('drain', 'have a running edge say that it is not ready, while it serves on, so that nobody is sent to it')
    .option('--undo', 'have it say that it is ready again')
    .option('--wait', 'until no answer is under way')
    .action(async (flags: AdminFlags & DrainFlags) => (await load()).drain(await client(flags), flags, write));
  onAdmin('stop', 'have a running edge finish its answers and end, and wait until it has').action(
    async (flags: AdminFlags) => (await load()).stop(await client(flags), write),
  );
  onAdmin(
    'snapshot',
    'have a running edge copy its memory tier to cache.memory.snapshot, from which it begins after a reboot',
  ).action(async (flags: AdminFlags) => (await load()).snapshot(await client(flags), write));
  onAdmin(
    'upgrade',
    'have a running edge start the installed version, which takes over without losing a connection',
  ).action(async (flags: AdminFlags) => (await load()).upgrade(await client(flags), write));
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

function readLimit(text: string): number {
  const limit = Number(text);
  if (!isListLimit(limit)) throw new InvalidArgumentError(`Expected ${LIST_LIMITS}.`);
  return limit;
}

function readSize(text: string): number {
  const size = parseSize(text);
  if (size === undefined) throw new InvalidArgumentError('Expected a size such as 20MiB.');
  return size;
}

function readInterval(text: string): number {
  const interval = parseTime(text);
  if (interval === undefined || interval < 100 || interval > 3_600_000) {
    throw new InvalidArgumentError('Expected a time from 100ms to 1h.');
  }
  return interval;
}
