// Programs beside Node.js that building, tests and benchmarks start, and the packages of Debian and Ubuntu that bring
// them. What is missing is installed where that takes no password; elsewhere one command is printed, and nothing is
// run.
//
//   node test/packages.mjs build|lint|test|bench|swift
//
// Swift is some fifty packages, so nobody but its tests has it installed, and they are left out without it.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Names of a browser that plays H.264 and AAC, the one to be taken first. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/**
 * What is needed, one line each: by whom, any of which programs, the packages that bring it, and why.
 * `server` is the name of a server, for `--peers` of benchmarks and as the service that its package starts, unless
 * `service` tells another name. A path in the place of a program is a module of one.
 */
const NEEDS = [
  { by: ['build', 'test'], programs: ['make'], package: 'make', why: 'builds the addon and its tests' },
  { by: ['build', 'test', 'bench'], programs: ['python3'], package: 'python3', why: 'builds the addon, plays clients' },
  { by: ['build', 'test'], programs: ['g++'], package: 'g++', why: 'compiles the addon and its tests' },
  { by: ['test', 'bench'], programs: ['ffmpeg'], package: 'ffmpeg', why: 'makes films and judges answers' },
  { by: ['test', 'bench'], programs: ['openssl'], package: 'openssl', why: 'makes certificates' },
  { by: ['test', 'bench'], programs: ['wrk'], package: 'wrk', why: 'makes load' },
  { by: ['test'], programs: ['curl'], package: 'curl', why: 'asks as users do' },
  { by: ['test'], programs: ['promtool'], package: 'prometheus', why: 'judges alerts', server: 'prometheus' },
  { by: ['test'], programs: ['etcd'], package: 'etcd-server', why: 'joins edges', server: 'etcd' },
  { by: ['test'], programs: ['redis-server'], package: 'redis-server', why: 'queues jobs', server: 'redis-server' },
  { by: ['test'], programs: ['haproxy'], package: 'haproxy', why: 'asks edges how they are', server: 'haproxy' },
  { by: ['test'], programs: BROWSERS, package: 'chromium', why: 'plays what the edge serves' },
  {
    by: ['test'],
    programs: ['gst-launch-1.0'],
    package: 'gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad',
    why: 'publishes live streams',
  },
  {
    by: ['swift'],
    programs: ['/usr/lib/python3/dist-packages/swift'],
    package: 'python3-swift',
    why: 'keeps three copies of films',
  },
  { by: ['swift'], programs: ['rsync'], package: 'rsync', why: 'brings copies back' },
  { by: ['lint'], programs: ['clang-format'], package: 'clang-format', why: 'checks the style of native code' },
  {
    by: ['test', 'bench'],
    programs: ['nginx'],
    package: 'nginx',
    why: 'answers the same',
    server: 'nginx',
  },
  {
    by: ['bench'],
    programs: ['varnishd'],
    package: 'varnish',
    why: 'is compared',
    server: 'varnish',
  },
  {
    by: ['bench'],
    programs: ['traffic_server'],
    package: 'trafficserver',
    why: 'is compared',
    server: 'trafficserver',
  },
  {
    by: ['bench'],
    programs: ['/usr/lib/nginx/modules/ngx_rtmp_module.so'],
    package: 'libnginx-mod-rtmp',
    why: 'is compared',
    server: 'nginx-rtmp',
    service: 'nginx',
  },
  { by: ['bench'], programs: ['setpriv', 'taskset'], package: 'util-linux', why: 'binds programs to cores' },
];

/** Path of a program; undefined when it is not there. Daemons lie where the PATH of a user may not lead. */
export function programPath(name) {
  if (name.startsWith('/')) return existsSync(name) ? name : undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin', '/sbin'];
  return folders.map(folder => join(folder, name)).find(path => isExecutable(path) && !lacksItsSnap(path));
}

/** Path of the browser that tests drive; undefined when there is none. */
export function browserPath() {
  return BROWSERS.map(programPath).find(Boolean);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** True of Ubuntu's `chromium-browser`, a script that only says how to get the snap, while that is not there. */
function lacksItsSnap(path) {
  if (!path.endsWith('/chromium-browser') || existsSync('/snap/bin/chromium')) return false;
  return readFileSync(path).subarray(0, 8192).includes('/snap/bin/chromium');
}

function isMissing({ programs }) {
  return programs.every(program => programPath(program) === undefined);
}

/** Name of the distribution as in /etc/os-release, such as `debian`. */
function distribution() {
  try {
    return /^ID="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** Commands, as lists of words, that install what is missing, each to be run by root. */
function commandsFor(missing) {
  // Chromium is a snap on Ubuntu, which containers can't run and which sees no other program's temporary files. Chrome
  // is a package.
  const isApart = need => need.programs === BROWSERS && distribution() === 'ubuntu';
  const packages = missing.filter(need => !isApart(need)).flatMap(need => need.package.split(' '));
  const commands = [];
  if (packages.length > 0) {
    commands.push(
      ['apt-get', '-qq', '-o', 'Acquire::Retries=3', 'update'],
      ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-o', 'Acquire::Retries=3', '-o', 'Dpkg::Use-Pty=0']
        .concat(['install', '-y', '--no-install-recommends'])
        .concat(packages),
    );
  }
  if (missing.some(isApart)) {
    commands.push(
      process.arch === 'x64'
        ? [process.execPath, join(ROOT, 'node_modules/playwright-core/cli.js'), 'install', 'chrome']
        : ['snap', 'install', 'chromium'],
    );
  }
  // A server that its package has started would hold ports and cores.
  const services = missing.flatMap(({ server, service = server }) => service ?? []);
  if (services.length > 0 && existsSync('/run/systemd/system')) {
    commands.push(['systemctl', '--quiet', 'disable', '--now', ...services]);
  }
  return commands;
}

/**
 * What lets this user run a command as root without a password: words to put before it; undefined when nothing does.
 */
function asRoot() {
  if (process.getuid() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined;
}

/** Ends this process with what there is to do. */
function giveUp(lines) {
  process.stderr.write(`\n${lines.join('\n')}\n\n`);
  process.exit(1);
}

/**
 * Sees to it that everything is there; ends this process when it can't be had.
 * @param by who needs it: `build`, `lint`, `test`, `bench` or `swift`
 * @param peers names of those servers that a benchmark is compared with
 */
export function provide(by, peers = NEEDS.flatMap(({ server }) => server ?? [])) {
  const isWanted = need =>
    need.by.includes(by) && (by !== 'bench' || need.server === undefined || peers.includes(need.server));
  const needs = NEEDS.filter(isWanted);
  const missing = needs.filter(isMissing);
  if (missing.length === 0) return;
  const list = missing.map(({ programs, why }) => `  ${programs[0].padEnd(16)}${why}`);
  if (programPath('apt-get') === undefined) {
    const packages = missing.map(need => need.package).join(' ');
    const elsewhere = ['Debian and Ubuntu have them in packages:', `  apt-get install -y ${packages}`];
    giveUp([`moovedge (${by}) needs these programs, which are not installed:`, ...list, ...elsewhere]);
  }
  const commands = commandsFor(missing);
  const words = asRoot();
  if (words === undefined) {
    const line = commands.map(command => `sudo ${command.join(' ')}`).join(' && ');
    giveUp([
      `moovedge (${by}) needs these programs, which are not installed:`,
      ...list,
      'This installs them:',
      `  ${line}`,
    ]);
  }
  process.stdout.write(`moovedge (${by}) installs what is missing:\n${list.join('\n')}\n`);
  for (const command of commands) {
    const whole = [...words, ...command];
    process.stdout.write(`  ${whole.join(' ')}\n`);
    const { status, error } = spawnSync(whole[0], whole.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status === 0) continue;
    const hint =
      by === 'bench' ? ['Servers that this system has no package of can be left out: --peers nginx,varnish'] : [];
    giveUp([`expected ${whole[0]} to succeed, found ${error?.message ?? `exit status ${status}`}`, ...hint]);
  }
  const still = needs.filter(isMissing);
  if (still.length > 0)
    giveUp([`expected ${still.map(({ programs }) => programs[0]).join(', ')} after installing, found nothing`]);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [by = ''] = process.argv.slice(2);
  if (!NEEDS.some(need => need.by.includes(by)))
    giveUp([`usage: node test/packages.mjs build|lint|test|bench|swift, found '${by}'`]);
  provide(by);
}
