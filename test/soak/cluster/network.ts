import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { programPath } from '../../packages.mjs';

/** A machine of the soak. */
export interface Host {
  readonly name: string;
  /** Where the others, and this process, reach it. */
  readonly address: string;
  /** Words to put before a command that is to run there. */
  readonly within: readonly string[];
}

/** What machines are joined by. */
export interface Network {
  /** Why nothing can be cut; undefined where it can. */
  readonly flaw: string | undefined;
  /** Where hosts reach this process. */
  readonly gateway: string;
  /** Makes a machine. */
  host(name: string): Host;
  /** What one sends another is lost from now on, without a word. */
  cut(from: Host, to: Host): void;
  /** Everything comes through again. */
  heal(): void;
  /** Takes it all down. */
  close(): void;
}

/** Namespaces on a bridge where this user may make such, else addresses of loopback. */
export async function makeNetwork(): Promise<Network> {
  if (process.geteuid?.() !== 0) return new Loopback('this user is not root');
  for (const program of ['ip', 'nft'])
    if (programPath(program) === undefined) return new Loopback(`the program ${program} is not installed`);
  try {
    const network = new Namespaces();
    if (await network.carries()) return network;
    network.close();
    return new Loopback('nothing comes through from one namespace to another');
  } catch (error) {
    return new Loopback((error as Error).message);
  }
}

/** All on one machine, where nothing can be cut. */
class Loopback implements Network {
  readonly flaw: string;
  readonly gateway = '127.0.0.1';
  readonly #net = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  #hosts = 1;

  constructor(flaw: string) {
    this.flaw = flaw;
  }

  host(name: string): Host {
    return { name, address: `${this.#net}.${++this.#hosts}`, within: [] };
  }

  cut(): void {
    throw new Error('loopback can not be cut');
  }

  heal(): void {}

  close(): void {}
}

/** By which it is tried whether hosts reach one another; milliseconds that this may take. */
const PROBE_PORT = 4000;
const PATIENCE = 20_000;

/** Table of nftables in each namespace, and its chain of what comes in. */
const TABLE = 'inet cut';
const CHAIN = `${TABLE} in`;

/** A network namespace for each machine, joined by one bridge, on which this process has an address, too. */
class Namespaces implements Network {
  readonly flaw = undefined;
  readonly #bridge = `mv${randomInt(36 ** 3, 36 ** 4).toString(36)}`;
  readonly #net = `10.${randomInt(64, 250)}.${randomInt(0, 255)}`;
  readonly #hosts = new Map<string, Host>();
  /** Hosts with something to be healed. */
  readonly #cut = new Set<Host>();

  constructor() {
    try {
      run('ip', 'link', 'add', this.#bridge, 'type', 'bridge');
      run('ip', 'addr', 'add', `${this.gateway}/24`, 'dev', this.#bridge);
      run('ip', 'link', 'set', this.#bridge, 'up');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get gateway(): string {
    return `${this.#net}.1`;
  }

  /** Whether one namespace reaches another: rules of the system may forbid what goes over bridges. */
  async carries(): Promise<boolean> {
    const [near, far] = [this.host('near'), this.host('far')];
    const where = `${PROBE_PORT}, '${far.address}'`;
    const server = node(far, `require('net').createServer().listen(${where}, () => console.log())`);
    try {
      await once(server.stdout!, 'data', { signal: AbortSignal.timeout(PATIENCE) });
      const client = node(
        near,
        `const s = require('net').connect(${where}).setTimeout(${PATIENCE / 2});
        s.on('connect', () => process.exit(0)).on('timeout', () => process.exit(1))`,
      );
      const [code] = (await once(client, 'exit')) as [number | null];
      return code === 0;
    } finally {
      server.kill('SIGKILL');
    }
  }

  host(name: string): Host {
    const space = `${this.#bridge}-${name}`;
    const link = `${this.#bridge}${this.#hosts.size}`;
    const address = `${this.#net}.${this.#hosts.size + 2}`;
    const host: Host = { name, address, within: [programPath('ip')!, 'netns', 'exec', space] };
    run('ip', 'netns', 'add', space);
    this.#hosts.set(space, host);
    run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    run('ip', 'link', 'set', link, 'master', this.#bridge, 'up');
    const inside = (...words: string[]) => run('ip', 'netns', 'exec', space, ...words);
    inside('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    inside('ip', 'link', 'set', 'eth0', 'up');
    inside('ip', 'link', 'set', 'lo', 'up');
    inside('nft', `add table ${TABLE}; add chain ${CHAIN} { type filter hook input priority 0; }`);
    return host;
  }

  cut(from: Host, to: Host): void {
    run(...to.within, 'nft', `add rule ${CHAIN} ip saddr ${from.address} drop`);
    this.#cut.add(to);
  }

  heal(): void {
    for (const host of this.#cut) run(...host.within, 'nft', `flush chain ${CHAIN}`);
    this.#cut.clear();
  }

  close(): void {
    for (const space of this.#hosts.keys()) spawnSync('ip', ['netns', 'del', space]);
    spawnSync('ip', ['link', 'del', this.#bridge]);
  }
}

/** A program of a line, on a host. */
function node({ within }: Host, text: string): ChildProcess {
  const [command = '', ...args] = [...within, process.execPath, '-e', text];
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
}

/** @throws Error with what the command has said */
function run(...words: readonly string[]): void {
  const [name = '', ...args] = words;
  const { status, stderr, error } = spawnSync(programPath(name) ?? name, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
