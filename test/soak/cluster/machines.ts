import { mkdirSync, writeFileSync } from 'node:fs';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { programPath } from '../../packages.mjs';
import { CLI } from '../../support/edge-command.js';
import type { Host } from './network.js';
import { Program } from './program.js';

/** Ports, the same on every machine. */
export interface Ports {
  readonly player: number;
  readonly admin: number;
  readonly peers: number;
  readonly etcd: number;
  readonly etcdPeers: number;
}

/** Settings of the cluster under test; times in seconds. */
export const SETTINGS = { partitions: 64, ramp: 10, holdDown: 90 };

const TOKEN = 'a-token-of-the-soak';

/** What `/cluster` says, as far as it is looked at. */
export interface ClusterStatus {
  readonly epoch: number;
  readonly checksum: string;
  readonly member: boolean;
  readonly leader?: string;
  readonly etcd: { readonly reachable: boolean };
  readonly nodes: readonly {
    readonly id: string;
    readonly state: string;
    readonly share: number;
    readonly owns: number;
  }[];
  readonly traffic: { readonly hops: number; readonly peers: Readonly<Record<string, { readonly isWell: boolean }>> };
}

/** An edge on a machine of its own. */
export class EdgeMachine {
  readonly id: string;
  readonly program: Program;
  readonly #ports: Ports;
  /** Revisions of maps that it says it has written. */
  readonly written: number[] = [];

  /** @param env of its processes */
  constructor(
    host: Host,
    folder: string,
    ports: Ports,
    { storage, etcd, env = {} }: { storage: string; etcd: readonly string[]; env?: NodeJS.ProcessEnv },
  ) {
    const own = join(folder, host.name);
    mkdirSync(own);
    this.id = host.name;
    this.#ports = ports;
    const file = join(own, 'edge.yaml');
    writeFileSync(file, JSON.stringify(configOf(host, own, ports, storage, etcd)), { mode: 0o600 });
    this.program = new Program(host.name, host, [process.execPath, CLI, 'serve', '--config', file], this.#line, env);
  }

  get url(): string {
    return `http://${this.program.host.address}:${this.#ports.player}`;
  }

  /** What it says of the cluster; undefined when it does not answer. */
  async status(): Promise<ClusterStatus | undefined> {
    return (await this.#admin('GET', '/cluster')) as ClusterStatus | undefined;
  }

  async locate(path: string): Promise<{ readonly owner: string; readonly replicas: readonly string[] } | undefined> {
    return (await this.#admin('GET', `/locate?path=${path}`)) as never;
  }

  /** @param command such as `drain`, for a node, or `plan` */
  async command(command: 'drain' | 'undrain' | 'plan', node?: string): Promise<boolean> {
    return (await this.#admin('POST', `/cluster/${command}`, { node })) !== undefined;
  }

  async #admin(method: string, path: string, body?: object): Promise<unknown> {
    try {
      const answer = await fetch(`http://${this.program.host.address}:${this.#ports.admin}${path}`, {
        method,
        headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
        signal: AbortSignal.timeout(10_000),
        ...(body && { body: JSON.stringify(body) }),
      });
      return answer.ok ? await answer.json() : undefined;
    } catch {
      return undefined;
    }
  }

  readonly #line = (line: string) => {
    if (!line.includes('a map was written')) return;
    try {
      this.written.push((JSON.parse(line) as { revision: number }).revision);
    } catch {}
  };
}

function configOf(host: Host, folder: string, ports: Ports, storage: string, etcd: readonly string[]): object {
  return {
    listen: { host: host.address, port: ports.player },
    admin: { host: host.address, port: ports.admin, token: TOKEN },
    workers: 1,
    cache: { memory: { size: '96MiB', file: join(folder, 'cache') } },
    origins: [{ name: 'storage', url: storage }],
    shutdown: { delay: '0s', grace: '5s' },
    cluster: {
      etcd: { endpoints: etcd },
      node: { id: host.name },
      listen: { host: host.address, port: ports.peers },
      secret: 'a secret of the soak',
      partitions: SETTINGS.partitions,
      ramp: `${SETTINGS.ramp}s`,
      holdDown: `${SETTINGS.holdDown}s`,
    },
  };
}

/** Members of etcd, each on a machine of its own. */
export function etcdMembers(hosts: readonly Host[], folder: string, ports: Ports): Program[] {
  const peerUrl = ({ address }: Host) => `http://${address}:${ports.etcdPeers}`;
  const all = hosts.map(host => `${host.name}=${peerUrl(host)}`).join(',');
  return hosts.map(host => {
    const client = `http://${host.address}:${ports.etcd}`;
    const command = [
      ...[programPath('etcd')!, '--name', host.name, '--data-dir', join(folder, host.name)],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peerUrl(host), '--initial-advertise-peer-urls', peerUrl(host)],
      ...['--initial-cluster', all, '--heartbeat-interval', '200', '--election-timeout', '2000'],
    ];
    return new Program(host.name, host, command, () => {});
  });
}

/** A way from machines to a port of this process's loopback. */
export class Passage {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #address: string;
  #port = 0;

  constructor(address: string, target: number) {
    this.#address = address;
    this.#server = createServer(near => {
      const far = connectTo(target, '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.pipe(other);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, this.#address, resolve));
    this.#port = (this.#server.address() as { port: number }).port;
  }

  get url(): string {
    return `http://${this.#address}:${this.#port}`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
