// `npm run cluster-demo [-- --port N]`: three members of etcd and three edges on loopback, which are one cache of the
// sample clips. Says what to try and what to kill; Enter starts again what has died, Ctrl-C ends everything.
import './check-node.mjs';
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const SAMPLES = fileURLToPath(new URL('samples', import.meta.url));
const COUNT = 3;
/** Milliseconds that all of them may take to be a cluster, and that one may take to end. */
const PATIENCE = 60_000;
const GRACE = 10_000;
/** Last lines of a program that has failed. */
const LAST_WORDS = 5;

/** A program that the demonstration runs, in a process group of its own: `kill -9 -- -PID` ends all of it. */
class Program {
  #child;
  #said = '';

  constructor(name, command, args) {
    this.name = name;
    this.command = command;
    this.args = args;
  }

  get pid() {
    return this.#child.pid;
  }

  get isAlive() {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  get lastWords() {
    return this.#said.trimEnd().split('\n').slice(-LAST_WORDS).join('\n');
  }

  start() {
    this.#child = spawn(this.command, this.args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.#said = (this.#said + text).slice(-10_000);
      });
    }
    this.#child.on('error', error => {
      this.#said += error.message;
    });
    this.#child.on('exit', (code, signal) => {
      if (!isEnding && isWhole) say(`${this.name} has ended (${signal ?? code}); Enter starts it again`);
    });
  }

  /** To all of its processes. */
  signal(signal) {
    try {
      process.kill(-this.pid, signal);
    } catch {}
  }

  async end() {
    if (this.pid === undefined) return;
    const end = performance.now() + GRACE;
    if (this.isAlive) this.#child.kill('SIGTERM');
    while (this.isAlive && performance.now() < end) await sleep(20);
    this.signal('SIGKILL');
  }
}

/** What has been started, in order. */
const programs = [];
let isEnding = false;
/** True when the cluster has come up. */
let isWhole = false;
let folder;

function say(text) {
  process.stdout.write(`${text}\n`);
}

function run(program) {
  programs.push(program);
  program.start();
}

async function end(status) {
  if (isEnding) return;
  isEnding = true;
  await Promise.all(programs.map(program => program.end()));
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(status);
}

async function giveUp(text) {
  process.stderr.write(`${text}\n`);
  await end(1);
}

/** Path of a program; Debian has daemons where the PATH of a user may not lead. */
function programPath(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin'];
  return folders
    .map(each => join(each, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The first free ports from one on. */
async function freePorts(from, count) {
  const found = [];
  for (let port = from; found.length < count && port < 65_536; port++) {
    const server = createServer();
    const isFree = await new Promise(resolve => {
      server.once('error', () => resolve(false));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
    });
    if (isFree) found.push(port);
  }
  return found;
}

async function until(what, check) {
  const limit = performance.now() + PATIENCE;
  while (!isEnding) {
    const result = await check().catch(() => undefined);
    if (result) return result;
    const dead = programs.find(program => !program.isAlive);
    if (dead !== undefined) await giveUp(`expected ${what}, but ${dead.name} has ended:\n${dead.lastWords}`);
    if (performance.now() > limit) {
      const words = programs.map(({ name, lastWords }) => `${name}: ${lastWords}`).join('\n');
      await giveUp(`expected ${what} within ${PATIENCE / 1000} s\n${words}`);
    }
    await sleep(100);
  }
  // Whoever ends this process does so now.
  return new Promise(() => {});
}

function etcdMembers(command, ports) {
  const peers = ports.slice(COUNT).map((port, i) => `etcd-${i + 1}=http://127.0.0.1:${port}`);
  return peers.map((peer, i) => {
    const client = `http://127.0.0.1:${ports[i]}`;
    const own = peer.slice(peer.indexOf('=') + 1);
    return new Program(`etcd-${i + 1}`, command, [
      ...['--name', `etcd-${i + 1}`, '--data-dir', join(folder, `etcd-${i + 1}`)],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', own, '--initial-advertise-peer-urls', own],
      ...['--initial-cluster', peers.join(','), '--heartbeat-interval', '200', '--election-timeout', '2000'],
    ]);
  });
}

/** The configuration of an edge, as YAML, which JSON is. */
function configOf(id, { port, admin, peers }, endpoints) {
  return {
    listen: { host: '127.0.0.1', port },
    admin: { host: '127.0.0.1', port: admin },
    workers: 1,
    cache: { memory: { size: '64MiB', file: join(folder, `${id}.cache`) } },
    origins: [{ name: 'samples', url: SAMPLES }],
    cluster: {
      etcd: { endpoints },
      node: { id, url: `http://localhost:${port}` },
      listen: { host: '127.0.0.1', port: peers },
      secret: 'a secret of the demonstration',
      ramp: '30s',
      holdDown: '60s',
    },
  };
}

async function ask(url, options) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2000), ...options });
  return answer.ok ? await answer.json() : undefined;
}

/** What a person sees. */
async function tell(edges, members) {
  const [first, second] = edges;
  const films = readdirSync(SAMPLES).filter(name => /\.(mp4|flv)$/.test(name));
  const owned = [];
  for (const film of films) {
    const { owner, replicas } = await until('owners', () => ask(`${first.admin}/locate?path=/${film}`));
    owned.push({ film, owner, line: `  /${film.padEnd(24)}${owner}, then ${replicas.join(', ')}` });
  }
  const far = owned.find(({ owner }) => owner !== first.id) ?? owned[0];
  const owner = edges.find(({ id }) => id === far.owner);
  const pid = name => programs.find(program => program.name === name).pid;
  say(
    [
      'Three edges are one cache. Each film has an owner, and replicas that stand in for it:',
      ...owned.map(({ line }) => line),
      '',
      'Try, at any of them:',
      ...edges.map(({ id, url, admin }) => `  ${id}     ${url}/${far.film}   dashboard ${admin}/cluster.html`),
      `  curl -sD- -o /dev/null ${first.url}/${far.film}   by way of its owner: Cache-Status says so`,
      `  npx moovedge cluster status --admin ${first.admin}`,
      `  npx moovedge cluster where /${far.film} --admin ${first.admin}`,
      `  npx moovedge cluster drain ${owner.id} --admin ${first.admin}   and undrain`,
      '',
      'Kill, and look at the dashboard of another; players of others notice nothing:',
      `  kill -9 -- -${pid(owner.id)}   ${owner.id}, the owner of ${far.film}`,
      `  kill -STOP -- -${pid(second.id)}   ${second.id} hangs; -CONT lets it go on`,
      ...members.map(({ name, pid }, i) => `  kill -9 ${pid}   ${name}${i === 0 ? '; all three: the map stays' : ''}`),
      '',
      'Enter starts again what has died. Ctrl-C ends everything.',
    ].join('\n'),
  );
}

async function main() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
  const from = Number(values.port);
  if (!Number.isInteger(from) || from < 1 || from > 65_000)
    await giveUp(`expected --port with a number from 1 to 65000, found ${values.port}`);
  const etcd = programPath('etcd');
  if (etcd === undefined) {
    await giveUp(
      'expected the program etcd, found none. Debian and Ubuntu have it in a package:\n' +
        '  sudo apt-get install -y --no-install-recommends etcd-server',
    );
  }
  await build();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'moovedge-demo-'));
  const ports = await freePorts(from, 5 * COUNT);
  const members = etcdMembers(etcd, ports.slice(3 * COUNT));
  const endpoints = ports.slice(3 * COUNT, 4 * COUNT).map(port => `http://127.0.0.1:${port}`);
  const edges = Array.from({ length: COUNT }, (_, i) => {
    const [port, admin, peers] = ports.slice(3 * i, 3 * i + 3);
    const id = `edge-${i + 1}`;
    const file = join(folder, `${id}.yaml`);
    writeFileSync(file, JSON.stringify(configOf(id, { port, admin, peers }, endpoints), null, 2), { mode: 0o600 });
    const program = new Program(id, process.execPath, [CLI, 'serve', '--config', file]);
    return { id, url: `http://localhost:${port}`, admin: `http://localhost:${admin}`, program };
  });
  say('starting three members of etcd and three edges …');
  for (const member of members) run(member);
  await until('etcd to answer', () =>
    ask(`${endpoints[0]}/v3/kv/range`, { method: 'POST', body: JSON.stringify({ key: 'YQ==' }) }),
  );
  for (const { program } of edges) run(program);
  await until('a map of all edges', async () => {
    const states = await Promise.all(edges.map(({ admin }) => ask(`${admin}/cluster`)));
    return states.every(({ epoch, nodes }) => epoch > 0 && nodes.filter(({ owns }) => owns > 0).length === COUNT);
  });
  isWhole = true;
  await tell(edges, members);
  createInterface({ input: process.stdin }).on('line', () => {
    for (const program of programs.filter(({ isAlive }) => !isAlive)) {
      // What a killed supervisor has left behind holds its ports.
      program.signal('SIGKILL');
      program.start();
      say(`${program.name} was started again: kill -9 -- -${program.pid}`);
    }
  });
}

await main();
