import { join } from 'node:path';
import type { Log } from '../../src/base/log.js';
import type { ClusterState } from '../../src/cluster/cluster-state.js';
import { ClusterControl } from '../../src/cluster/control/cluster-control.js';

/** How a node is made; times in milliseconds. */
export interface NodeOptions {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  /** For the copy of the map. */
  readonly folder: string;
  readonly holdDown?: number;
  readonly ramp?: number;
  readonly partitions?: number;
  readonly zone?: string;
}

/** A node of the cluster without its workers. */
export class Node {
  readonly control: ClusterControl;
  /** Everything that workers would have been told. */
  readonly states: ClusterState[] = [];
  readonly lines: string[] = [];
  /** Purges that it has carried out. */
  readonly purged: string[] = [];
  /** Names that others have taken from it, and who has. */
  readonly lost: string[] = [];
  readonly file: string;
  /** Whether its workers answer. */
  alive = true;

  /** @param run tells its file from that of another run with the same id */
  constructor(id: string, options: NodeOptions, run = id) {
    const { endpoints, prefix, folder, holdDown = 600_000, ramp = 600_000, partitions = 64, zone = 'z' } = options;
    this.file = join(folder, `${run}.map`);
    const note = (fields: object, text: string) => this.lines.push(`${text} ${JSON.stringify(fields)}`);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    this.control = new ClusterControl({
      etcd: { endpoints, prefix },
      self: { id, zone, weight: 1, host: '127.0.0.1', port: 8090, url: `http://${id}`, version: '1' },
      partitions,
      replicas: 2,
      holdDown,
      settle: 500,
      ramp,
      file: this.file,
      log,
      alive: () => this.alive,
      purge: async purge => this.purged.push(purge),
      purgeAll: async () => this.purged.push('all'),
      purgeMark: join(folder, `${id}.purged`),
      claims: {
        changed: () => {},
        lost: (name, holder) => this.lost.push(`${name} ${holder}`),
        // No test is of an etcd that is late: it may be, beside others.
        patience: 60_000,
      },
      publish: state => this.states.push(JSON.parse(JSON.stringify(state))),
    });
    this.control.restore();
    void this.control.start(0);
  }

  get state(): ClusterState {
    return this.control.state;
  }

  /** Ids of the nodes that own films, in order. */
  get owners(): string[] {
    return [...new Set(this.state.map.map(([owner]) => this.state.nodes[owner!]!.id))].sort();
  }

  stateOf(id: string): string | undefined {
    return this.state.nodes.find(node => node.id === id)?.state;
  }

  logged(text: string): boolean {
    return this.lines.some(line => line.includes(text));
  }

  async stop(): Promise<void> {
    await this.control.stop();
  }
}
