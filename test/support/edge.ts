import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './ports.js';
import { commandLine, isAlive, kill, processTree } from './processes.js';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** Milliseconds that a start or a stop may take on a busy machine. */
const PATIENCE = 30_000;
/** Milliseconds in which a test tells of an edge that did not start. */
const LAST_WORDS = 3000;

/** What an edge of a test is started with. */
export interface EdgeOptions {
  /** Origins of the configuration, as YAML flow or a URL or directory for a single one. */
  readonly origin: string;
  readonly workers?: number;
  /** Size of the memory tier. */
  readonly memory?: string;
  /** Files that each of its processes may have open. */
  readonly openFiles?: number;
  /** More of `listen`, as YAML flow: `tls: {…}`. */
  readonly listen?: string;
  /** More of the configuration: top-level sections in YAML. */
  readonly settings?: string;
}

/**
 * The product as users start it (`dist/cli.js serve`), in processes of its own, with files that go when the test ends.
 */
export class Edge {
  readonly folder: string;
  readonly #options: EdgeOptions;
  #port = 0;
  #adminPort = 0;
  #child: ChildProcess | undefined;
  /** Everything that it has logged. */
  log = '';

  private constructor(options: EdgeOptions) {
    this.#options = options;
    this.folder = mkdtempSync('/dev/shm/moovedge-test-');
  }

  /** Starts an edge and waits until it serves. */
  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(options);
    [edge.#port = 0, edge.#adminPort = 0] = await freePorts(2);
    await edge.restart();
    return edge;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get admin(): string {
    return `http://127.0.0.1:${this.#adminPort}`;
  }

  get memoryFile(): string {
    return join(this.folder, 'cache');
  }

  /** Process ids of the supervisor and everything below it. */
  get pids(): number[] {
    return this.#child?.pid === undefined ? [] : processTree(this.#child.pid);
  }

  /** Process ids of the workers. */
  get workers(): number[] {
    return this.pids.slice(1).filter(pid => commandLine(pid).includes('worker'));
  }

  /** Starts again after `stop` or `killAll`, on the same files and ports. */
  async restart(): Promise<void> {
    const { origin, workers = 1, memory = '64MiB', listen, settings = '', openFiles } = this.#options;
    const origins = origin.startsWith('[') ? origin : JSON.stringify([{ name: 'main', url: origin }]);
    const file = join(this.folder, 'edge.yaml');
    writeFileSync(
      file,
      [
        `listen: {host: 127.0.0.1, port: ${this.#port}${listen === undefined ? '' : `, ${listen}`}}`,
        `admin: {port: ${this.#adminPort}}`,
        `workers: ${workers}`,
        `origins: ${origins}`,
        ...(settings.includes('cache:') ? [] : [`cache: {memory: {size: ${memory}, file: ${this.memoryFile}}}`]),
        settings.replaceAll('$FOLDER', this.folder),
      ].join('\n'),
    );
    const command = [process.execPath, CLI, 'serve', '--config', file];
    // The shell becomes the edge.
    if (openFiles !== undefined) command.unshift('sh', '-c', `ulimit -n ${openFiles} && exec "$0" "$@"`);
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', text => {
      this.log += text;
    });
    const end = performance.now() + PATIENCE;
    while (!(await this.#isReady())) {
      const { ended } = this;
      if (ended !== undefined) await this.#fail(`the edge ended with ${ended.code ?? ended.signal}`);
      if (performance.now() > end) await this.#fail('the edge was not ready in time');
      await new Promise(resolve => setTimeout(resolve, 25));
    }
  }

  /**
   * Fails the test and leaves nothing behind. Hooks that expected an edge don't get to what they would have closed,
   * such as an origin's server, which would keep the file from ending: so it is ended here.
   */
  async #fail(why: string): Promise<never> {
    await this.killAll();
    rmSync(this.folder, { recursive: true, force: true });
    setTimeout(() => process.exit(1), LAST_WORDS).unref();
    assert.fail(`${why}: ${this.log}`);
  }

  /** How the supervisor has ended; undefined while it runs. */
  get ended(): { readonly code: number | null; readonly signal: string | null } | undefined {
    const { exitCode: code = null, signalCode: signal = null } = this.#child ?? {};
    return code === null && signal === null ? undefined : { code, signal };
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    const code = await exited;
    clearTimeout(timer);
    return code;
  }

  /** SIGKILL to every process at once. */
  async killAll(): Promise<void> {
    const child = this.#child;
    const pids = this.pids;
    const exited = this.ended !== undefined ? Promise.resolve() : new Promise(resolve => child?.once('exit', resolve));
    for (const pid of pids) kill(pid);
    await exited;
    while (pids.some(isAlive)) await new Promise(resolve => setTimeout(resolve, 5));
  }

  /** A signal to the supervisor. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** GETs over a connection of its own. @throws when the answer is cut */
  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: this.#port, path, agent: false, headers }, response => {
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

  /** Stops it and removes its files. */
  async end(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.admin}/readyz`)).status === 200;
    } catch {
      return false;
    }
  }
}

/** What tests look at in `/stats`. */
export interface Stats {
  readonly pid: number;
  readonly totals: { readonly lookups: Readonly<Record<string, number>>; readonly responseBytes: number };
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
