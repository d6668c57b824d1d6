import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultOrigin } from '../../support/fault-origin.js';
import { freePorts } from '../../support/ports.js';
import { until } from '../../support/until.js';
import { Random } from '../random.js';
import { EtcdLog } from './etcd-log.js';
import { emptyHistory, type History } from './history.js';
import { type ClusterStatus, EdgeMachine, etcdMembers, Passage, type Ports } from './machines.js';
import { makeNetwork, type Network } from './network.js';
import type { Program } from './program.js';
import { ask, FILM_SIZE, Viewers } from './viewers.js';

const EDGES = 4;
const MEMBERS = 3;
/** Milliseconds between two looks at an edge. */
const LOOK = 300;
/** Seconds in which a cluster has to be whole after a fault, on a busy machine. */
const RECOVERY = 120;

/** What a scene is made with. */
export interface SceneOptions {
  /** Decides all that is random. */
  readonly seed: number;
  /** Requests of players, a second. */
  readonly rate: number;
}

/** Edges, etcd, storage and players, on a network of their own, and all that happens there. */
export class Scene {
  readonly history: History = emptyHistory();
  /** Measured values by what they are, in milliseconds or as counts. */
  readonly bars = new Map<string, number[]>();
  readonly random: Random;
  readonly network: Network;
  readonly storage: FaultOrigin;
  readonly edges: readonly EdgeMachine[];
  readonly etcd: readonly Program[];
  readonly viewers: Viewers;
  /** File that says by how much the clock of the last edge is wrong; undefined where that can't be. */
  readonly clock: string | undefined;
  readonly log: EtcdLog;
  readonly #folder: string;
  readonly #passage: Passage;
  readonly #etcdUrls: readonly string[];
  #isOver = false;
  #films = 0;
  readonly #looks: Promise<void>[] = [];

  private constructor(
    { seed, rate }: SceneOptions,
    network: Network,
    storage: FaultOrigin,
    passage: Passage,
    ports: Ports,
  ) {
    this.random = new Random(seed);
    this.network = network;
    this.storage = storage;
    this.#folder = mkdtempSync('/dev/shm/moovedge-soak-');
    this.#passage = passage;
    const hosts = Array.from({ length: MEMBERS }, (_, i) => network.host(`etcd${i + 1}`));
    this.etcd = etcdMembers(hosts, this.#folder, ports);
    this.#etcdUrls = hosts.map(({ address }) => `http://${address}:${ports.etcd}`);
    const preload = faketime();
    this.clock = preload && join(this.#folder, 'clock');
    if (this.clock !== undefined) writeFileSync(this.clock, '+0');
    const faked = { LD_PRELOAD: preload, FAKETIME_TIMESTAMP_FILE: this.clock, FAKETIME_NO_CACHE: '1' };
    const edgeHosts = Array.from({ length: EDGES }, (_, i) => network.host(`edge-${i + 1}`));
    this.edges = edgeHosts.map((host, i) => {
      const env = i === EDGES - 1 && preload !== undefined ? { ...faked, FAKETIME_DONT_FAKE_MONOTONIC: '1' } : {};
      return new EdgeMachine(host, this.#folder, ports, { storage: this.#passage.url, etcd: this.#etcdUrls, env });
    });
    this.viewers = new Viewers(this.edges, storage, this.history, this.random, rate);
    this.log = new EtcdLog(this.#etcdUrls, this.history.stored);
  }

  /** Starts everything, and waits until the edges are one cluster. */
  static async start(options: SceneOptions): Promise<Scene> {
    const [player = 0, admin = 0, peers = 0, etcd = 0, etcdPeers = 0] = await freePorts(5);
    const network = await makeNetwork();
    const storage = await FaultOrigin.start();
    const passage = new Passage(network.gateway, storage.port);
    await passage.listen();
    const scene = new Scene(options, network, storage, passage, { player, admin, peers, etcd, etcdPeers });
    try {
      for (const member of scene.etcd) member.start();
      await until('etcd', () => scene.put('start'), RECOVERY);
      for (const { program } of scene.edges) program.start();
      await scene.settle();
    } catch (error) {
      const words = [...scene.etcd, ...scene.edges.map(({ program }) => program)].map(
        program => `${program.name}: ${program.words}`,
      );
      await scene.close();
      throw new Error(`${(error as Error).message}\n${words.join('\n')}`);
    }
    for (const edge of scene.edges) scene.#looks.push(scene.#look(edge));
    scene.viewers.start();
    return scene;
  }

  /** Notes a measured value. */
  measure(what: string, value: number): void {
    this.bars.set(what, [...(this.bars.get(what) ?? []), value]);
  }

  /** Writes a key in etcd; false when nobody takes it. Gives its revision. */
  async put(value: string): Promise<number | undefined> {
    const body = { key: btoa('/moovedge/soak'), value: btoa(value) };
    const answer = (await this.etcdPost('/v3/kv/put', body)) as { header?: { revision: string } } | undefined;
    return answer?.header && Number(answer.header.revision);
  }

  /** Asks members in turn. */
  async etcdPost(path: string, body: object): Promise<unknown> {
    for (const url of this.#etcdUrls) {
      try {
        const signal = AbortSignal.timeout(3000);
        const answer = await fetch(url + path, { method: 'POST', body: JSON.stringify(body), signal });
        if (answer.ok) return await answer.json();
      } catch {}
    }
    return undefined;
  }

  /** The member of etcd that leads. */
  async etcdLeader(): Promise<Program> {
    return until('a leader of etcd', async () => {
      for (const [i, url] of this.#etcdUrls.entries()) {
        const answer = await fetch(`${url}/v3/maintenance/status`, {
          method: 'POST',
          body: '{}',
          signal: AbortSignal.timeout(2000),
        }).catch(() => undefined);
        const status = (await answer?.json()) as { header?: { member_id: string }; leader?: string } | undefined;
        if (status?.leader !== undefined && status.header?.member_id === status.leader) return this.etcd[i];
      }
      return undefined;
    });
  }

  /** Cuts two machines off from one another. */
  part(a: Program, b: Program): void {
    this.network.cut(a.host, b.host);
    this.network.cut(b.host, a.host);
  }

  /** While this goes on, and until the edges answer again, their players must expect failures. */
  async trouble(edges: readonly EdgeMachine[], what: string, action: () => Promise<void>): Promise<void> {
    const troubles = edges.map(({ id: edge }) => ({
      edge,
      what,
      from: performance.now(),
      to: Number.POSITIVE_INFINITY,
    }));
    this.history.troubles.push(...troubles);
    await action();
    await Promise.all(edges.map(edge => this.answers(edge)));
    for (const trouble of troubles) trouble.to = performance.now();
  }

  /** Waits until an edge answers players. */
  async answers(edge: EdgeMachine): Promise<void> {
    const check = async () => (await ask(edge, '/film-0.mp4', 'harness', 0, 1000)).outcome === 'whole';
    await until(`${edge.id} to answer: ${edge.program.words}`, check, RECOVERY);
  }

  /** Waits until all edges are members, up, at their full share, know one map, and reach one another. */
  async settle(): Promise<void> {
    let last: (ClusterStatus | undefined)[] = [];
    const isWhole = (status: ClusterStatus | undefined) =>
      status?.member === true &&
      status.etcd.reachable &&
      status.epoch === last[0]?.epoch &&
      status.epoch > 0 &&
      status.nodes.length === EDGES &&
      Object.values(status.traffic.peers).every(({ isWell }) => isWell) &&
      status.nodes.every(({ state, share, owns }) => state === 'up' && share === 1 && owns > 0);
    try {
      const check = async () => {
        const dead = this.edges.find(({ program }) => !program.isAlive);
        if (dead !== undefined) throw new Error(`${dead.id} has ended: ${dead.program.words}`);
        last = await Promise.all(this.edges.map(edge => edge.status()));
        return last.every(isWhole);
      };
      await until('the cluster to be whole', check, RECOVERY);
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(last)}`);
    }
  }

  /** Another film, which nobody has asked for, of an owner. */
  async freshFilm(owner?: EdgeMachine): Promise<string> {
    for (;;) {
      const path = `/fresh-${this.#films++}.mp4`;
      const asked = this.edges.find(edge => edge !== owner)!;
      if (owner !== undefined && (await asked.locate(path))?.owner !== owner.id) continue;
      this.storage.put(path, { size: FILM_SIZE });
      return path;
    }
  }

  /** One request, noted like those of players. */
  async ask(edge: EdgeMachine, path: string) {
    const at = performance.now();
    const outcome = await ask(edge, path, 'harness');
    this.history.asked.push({ at, ...outcome });
    return outcome;
  }

  /** While nothing else goes on: how far a request goes, and how often the storage sends its blocks. */
  async calm(): Promise<void> {
    await this.viewers.pause();
    const hops = async () => {
      const all = await Promise.all(this.edges.map(edge => edge.status()));
      return all.reduce((sum, status) => sum + (status?.traffic.hops ?? 0), 0);
    };
    const path = await this.freshFilm();
    for (const edge of this.edges) {
      const before = await hops();
      await this.ask(edge, path);
      this.history.traced.push({ path, hops: (await hops()) - before });
    }
    this.history.fetched.push({ path, times: this.storage.timesSent(path) });
    this.viewers.resume();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.viewers.stop();
    await Promise.all(this.#looks);
    await this.log.close();
    for (const edge of this.edges) for (const revision of edge.written) this.history.writers.set(revision, edge.id);
    this.network.heal();
    for (const program of [...this.edges.map(edge => edge.program), ...this.etcd]) {
      program.signal('SIGKILL');
      await until(`${program.name} to be gone`, () => !program.isAlive);
    }
    this.#passage.close();
    await this.storage.close();
    this.network.close();
    // Workers end a moment after their supervisor, and may write until then.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #look(edge: EdgeMachine): Promise<void> {
    while (!this.#isOver) {
      const status = await edge.status();
      // When the answer came: what it says is older.
      if (status !== undefined) this.history.seen.push({ at: performance.now(), edge: edge.id, ...status });
      await new Promise(resolve => setTimeout(resolve, LOOK));
    }
  }
}

/** The library that gives a process another clock; undefined where it is not installed. */
function faketime(): string | undefined {
  const root = '/usr/lib';
  const folders = existsSync(root) ? readdirSync(root).map(name => join(root, name, 'faketime')) : [];
  return folders.map(folder => join(folder, 'libfaketimeMT.so.1')).find(file => existsSync(file));
}
