import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from '../packages.mjs';
import { freePorts } from './ports.js';
import { isStopped } from './processes.js';
import { until } from './until.js';

/** Milliseconds that anything may take on a busy machine, and that a look at a member takes that may not answer. */
const PATIENCE = 60_000;
const LOOK = 2000;

/** How members are started. */
export interface EtcdOptions {
  readonly members?: number;
  /** Milliseconds without a heartbeat after which members vote. */
  readonly electionTimeout?: number;
  /** PEM files with which clients are spoken to, and that they are known by. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** One member: a process of Debian's etcd. */
class Member {
  readonly name: string;
  readonly url: string;
  readonly peerUrl: string;
  #child: ChildProcess | undefined;
  #log = '';

  constructor(name: string, port: number, peerPort: number, scheme: string) {
    this.name = name;
    this.url = `${scheme}://127.0.0.1:${port}`;
    this.peerUrl = `http://127.0.0.1:${peerPort}`;
  }

  start(args: readonly string[]): void {
    const child = spawn(programPath('etcd')!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', text => {
      this.#log = (this.#log + text).slice(-20_000);
    });
    this.#child = child;
  }

  get log(): string {
    return this.#log;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** SIGSTOP; it answers nothing any more when this is done. */
  async stop(): Promise<void> {
    this.signal('SIGSTOP');
    await until('etcd to stop', () => isStopped(this.#child!.pid!));
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }
}

/** Clusters of the running test. What a failed test leaves behind would outlive it. */
const running = new Set<Etcd>();
process.on('exit', () => {
  for (const etcd of running) etcd.destroy();
});

/** A cluster of etcd on loopback, whose files go with `end`. */
export class Etcd {
  readonly members: readonly Member[];
  readonly #folder = mkdtempSync('/dev/shm/moovedge-etcd-');
  readonly #options: EtcdOptions;

  private constructor(options: EtcdOptions, ports: readonly number[]) {
    this.#options = options;
    running.add(this);
    const scheme = options.tls === undefined ? 'http' : 'https';
    this.members = Array.from(
      { length: ports.length / 2 },
      (_, i) => new Member(`m${i}`, ports[2 * i]!, ports[2 * i + 1]!, scheme),
    );
  }

  /** Starts members and waits until they have a leader. */
  static async start(options: EtcdOptions = {}): Promise<Etcd> {
    const etcd = new Etcd(options, await freePorts(2 * (options.members ?? 1)));
    for (const member of etcd.members) etcd.startMember(member);
    if (options.tls === undefined) await etcd.ready();
    return etcd;
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url);
  }

  /** Starts a member, for the first time or again on its files. */
  startMember(member: Member): void {
    const { electionTimeout = 1000, tls } = this.#options;
    const all = this.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
    member.start([
      ...['--name', member.name, '--data-dir', join(this.#folder, member.name)],
      ...['--listen-client-urls', member.url, '--advertise-client-urls', member.url],
      ...['--listen-peer-urls', member.peerUrl, '--initial-advertise-peer-urls', member.peerUrl],
      ...['--initial-cluster', all, '--initial-cluster-state', 'new'],
      ...['--heartbeat-interval', String(electionTimeout / 10), '--election-timeout', String(electionTimeout)],
      // Passwords of tests are no secrets.
      ...['--bcrypt-cost', '4'],
      ...(tls === undefined ? [] : ['--cert-file', tls.cert, '--key-file', tls.key]),
      ...(tls === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', tls.ca]),
    ]);
  }

  /** Waits until `member`, or any, answers what only a majority can. */
  async ready(members: readonly Member[] = this.members): Promise<void> {
    for (const member of members) {
      const what = () => `${member.name} to answer: ${member.log}`;
      await until(what, async () => {
        const answer = await this.post(member.url, '/v3/kv/range', { key: 'YQ==' }, LOOK).catch(() => undefined);
        return answer !== undefined && 'header' in answer;
      });
    }
  }

  /** A request to the gateway, past everything that is tested. @param patience milliseconds that it may take */
  async post(url: string, path: string, body: object, patience = PATIENCE): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(patience);
    const answer = await fetch(url + path, { method: 'POST', body: JSON.stringify(body), signal });
    return (await answer.json()) as Record<string, unknown>;
  }

  async put(key: string, value: string, url = this.urls[0]!): Promise<number> {
    const body = { key: btoa(key), value: btoa(value) };
    const { header } = (await this.post(url, '/v3/kv/put', body)) as { header: { revision: string } };
    return Number(header.revision);
  }

  async remove(key: string): Promise<void> {
    await this.post(this.urls[0]!, '/v3/kv/deleterange', { key: btoa(key) });
  }

  /** Forgets what was before a revision. */
  async compact(revision: number): Promise<void> {
    await this.post(this.urls[0]!, '/v3/kv/compaction', { revision: String(revision), physical: true });
  }

  /** The member that leads. */
  async leader(): Promise<Member> {
    return until('a leader', async () => {
      for (const member of this.members) {
        const status = await this.post(member.url, '/v3/maintenance/status', {}, LOOK).catch(() => undefined);
        const { header, leader } = (status ?? {}) as { header?: { member_id: string }; leader?: string };
        if (leader !== undefined && leader !== '0' && header?.member_id === leader) return member;
      }
      return undefined;
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map(member => member.kill()));
    this.destroy();
  }

  /** Ends every member at once and forgets their files. */
  destroy(): void {
    running.delete(this);
    for (const member of this.members) member.signal('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
