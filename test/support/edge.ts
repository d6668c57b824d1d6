import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { get, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import type { EdgeStats } from '../../src/supervisor/supervisor.js';
import { type EdgePlace, type EdgeSetup, edgeCommand, memoryFileOf, writeConfig } from './edge-command.js';
import { freePorts } from './ports.js';
import { commandLine, isAlive, kill, processTree } from './processes.js';
import { until } from './until.js';

/** Milliseconds that a stop may take on a busy machine. */
const PATIENCE = 120_000;
/** Milliseconds in which a test tells of an edge that did not start. */
const LAST_WORDS = 3000;

/** What an edge of a test is started with. */
export interface EdgeOptions extends EdgeSetup {
  /** Those of another edge; free ones when left out. */
  readonly ports?: Omit<EdgePlace, 'folder'>;
  /** That of another edge, whose files it uses; a new one when left out. */
  readonly folder?: string;
  /** Files that each of its processes may have open. */
  readonly openFiles?: number;
  /** Number of the user and group that it runs as; those of this process when left out. Needs root. */
  readonly user?: number;
  /** True to start it without CAP_NET_ADMIN, as every user but root and Docker's default have it. */
  readonly unprivileged?: boolean;
}

/** How a process has ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * An edge in processes of its own: the product as users start it (`dist/cli.js serve`), unless `entry` is another. The
 * only way in which tests start one. Its files go when it is ended.
 */
export class Edge implements EdgePlace {
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
  readonly #options: EdgeOptions;
  #child!: ChildProcess;
  /** Resolves when the supervisor has ended. */
  exited!: Promise<Ended>;
  /** Everything that it has logged, on standard error. */
  log = '';
  /** What it has written to standard output since it was started last. */
  output = '';

  private constructor(options: EdgeOptions, port: number, adminPort: number) {
    const { entry, settings, memory = '64MiB', folder = mkdtempSync('/dev/shm/moovedge-test-') } = options;
    const hasTiers = entry === undefined && !settings?.includes('cache:');
    this.#options = { ...options, memory: hasTiers ? memory : undefined };
    this.port = port;
    this.adminPort = adminPort;
    this.folder = folder;
  }

  /** Starts an edge and waits until it serves. */
  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = await Edge.launch(options);
    await edge.ready();
    return edge;
  }

  /** Starts an edge without waiting until it serves. */
  static async launch(options: EdgeOptions): Promise<Edge> {
    const { port, adminPort } = options.ports ?? {};
    const [free = 0, freeAdmin = 0] = await freePorts(2);
    const edge = new Edge(options, port ?? free, adminPort ?? freeAdmin);
    edge.#spawn();
    return edge;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get admin(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  get memoryFile(): string {
    return memoryFileOf(this, this.#options);
  }

  /** Process id of the supervisor. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Process ids of the supervisor and everything below it. */
  get pids(): number[] {
    return processTree(this.pid);
  }

  /** Process ids of the workers. */
  get workers(): number[] {
    return this.pids.slice(1).filter(pid => commandLine(pid).includes('worker'));
  }

  /** Every worker that has been ready so far. */
  get workersSoFar(): number[] {
    return [...this.log.matchAll(/"workerPid":(\d+),"text":"worker ready"/g)].map(match => Number(match[1]));
  }

  /** Writes the configuration anew, with other settings than it was started with; a reload reads it. */
  configure(settings: string, workers = this.#options.workers): void {
    writeConfig(this, { ...this.#options, settings, workers });
  }

  /** Waits until it serves. */
  async ready(): Promise<void> {
    try {
      await until('an edge that serves', () => {
        const { ended } = this;
        if (ended !== undefined) assert.fail(`the edge ended with ${ended.code ?? ended.signal}`);
        return this.output.includes('Dashboard:');
      });
    } catch (error) {
      await this.#fail((error as Error).message);
    }
  }

  /**
   * Waits until the log says something: it comes by a pipe of its own, so that what is seen elsewhere tells nothing of
   * it. Only whole lines are looked at.
   * @param what text of a line, or a pattern over all lines
   * @param since length of `log` before which nothing counts
   * @returns the first line with the text, or what has matched
   */
  async logged(what: string | RegExp, since = 0): Promise<string> {
    const pattern = typeof what === 'string' ? new RegExp(`.*${what.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}.*`) : what;
    const find = () => pattern.exec(this.log.slice(since, this.log.lastIndexOf('\n') + 1))?.[0];
    return until(() => `a log that says ${what}, found ${this.log.slice(since)}`, find);
  }

  /** Starts again after `stop` or `killAll`, on the same files and ports. */
  async restart(): Promise<void> {
    this.#spawn();
    await this.ready();
  }

  #spawn(): void {
    const { openFiles, unprivileged = false, user } = this.#options;
    const command = edgeCommand(this, this.#options);
    if (user !== undefined)
      for (const path of [this.folder, ...readdirSync(this.folder).map(name => join(this.folder, name))])
        chownSync(path, user, user);
    const as = user === undefined ? {} : { uid: user, gid: user };
    // The shell, or setpriv, becomes the edge. A normal user has no right to give up.
    if (openFiles !== undefined) command.unshift('sh', '-c', `ulimit -n ${openFiles} && exec "$0" "$@"`);
    if (unprivileged && process.geteuid?.() === 0) command.unshift('setpriv', '--bounding-set=-net_admin');
    const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], ...as });
    this.#child = child;
    this.output = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      this.output += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      this.log += text;
    });
    this.exited = new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /**
   * Fails the test and leaves nothing behind. Hooks that expected an edge don't get to what they would have closed,
   * such as an origin's server, which would keep the file from ending: so it is ended here.
   */
  async #fail(why: string): Promise<never> {
    await this.killAll();
    this.#forget();
    setTimeout(() => process.exit(1), LAST_WORDS).unref();
    assert.fail(`${why}: ${this.log}`);
  }

  /** How the supervisor has ended; undefined while it runs. */
  get ended(): Ended | undefined {
    const { exitCode: code, signalCode: signal } = this.#child;
    return code === null && signal === null ? undefined : { code, signal };
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.ended === undefined) this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), PATIENCE);
    const { code } = await this.exited;
    clearTimeout(timer);
    return code;
  }

  /** SIGKILL to every process at once, those that a killed supervisor has left behind too. */
  async killAll(): Promise<void> {
    const pids = [...(this.ended === undefined ? this.pids : []), ...this.workersSoFar.filter(isAlive)];
    for (const pid of pids) kill(pid);
    await this.exited;
    await until('processes gone', () => !pids.some(isAlive));
  }

  /** A signal to the supervisor. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** GETs over a connection of its own. @throws when the answer is cut */
  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: this.port, path, agent: false, headers }, response => {
        const chunks: Buffer[] = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
        response.on('error', reject);
      });
      request.on('error', reject);
    });
  }

  /** `/stats`. */
  async stats(): Promise<Stats> {
    return (await fetch(`${this.admin}/stats`)).json() as never;
  }

  /** Stops it, checks that no process is left, and removes its files. */
  async end(): Promise<void> {
    const workers = this.workersSoFar;
    await this.stop();
    await until('workers gone', () => !workers.some(isAlive));
    this.#forget();
  }

  #forget(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What tests look at in `/stats`. */
export interface Stats extends EdgeStats {
  readonly services: {
    readonly memory: {
      readonly blocks: number;
      readonly capacityBytes: number;
      readonly usedBytes: number;
      readonly dropped: number;
    };
    /** Only with a disk tier. */
    readonly disk: { readonly blocks: number; readonly damagedBlocks: number };
  };
}

/** An answer of the edge. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}
