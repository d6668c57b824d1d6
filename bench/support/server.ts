import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { processTree } from '../../test/support/processes.js';
import { cpuSeconds, loopClock, type Memory, memory } from './accounting.js';

const run = promisify(execFile);

/** Cores of the servers that are measured, and of everything else: the client, and the origin behind them. */
export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;

/** Arguments of `setpriv` for a program that must not outlive a benchmark, however that ends. */
export const LEASH = ['--pdeathsig', 'TERM'];

const START_TIMEOUT = 20_000;
const STOP_TIMEOUT = 10_000;
/** Milliseconds without a byte after which a request is given up. */
const SILENCE = 5000;
/** Milliseconds between two looks at whether a server has started. */
const PROBE_INTERVAL = 10;

/** How a server is started. */
export interface ServerCommand {
  /** As it is called in tables. */
  name: string;
  command: string;
  args: readonly string[];
  port: number;
  /** `http` by default. */
  scheme?: 'http' | 'https';
  core?: number;
  env?: Record<string, string>;
  /** Path that answers below 500 once the server is ready. The default is `/`. */
  probe?: string;
}

/** A server in a process of its own, bound to one core, with all of its children. */
export class Server {
  readonly name: string;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #spawned = performance.now();
  #startUp = Number.NaN;
  #said = '';

  private constructor(command: ServerCommand) {
    this.name = command.name;
    this.port = command.port;
    this.url = `${command.scheme ?? 'http'}://127.0.0.1:${command.port}`;
    const core = String(command.core ?? SERVER_CORE);
    const bound = [...LEASH, 'taskset', '-c', core, command.command, ...command.args];
    this.#child = spawn('setpriv', bound, {
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('latin1').on('data', text => {
        this.#said = (this.#said + text).slice(-4000);
      });
    }
    running.add(this);
  }

  /** Starts a server and waits until it answers. @throws Error with what it said when it does not */
  static async start(command: ServerCommand): Promise<Server> {
    const server = new Server(command);
    const deadline = Date.now() + START_TIMEOUT;
    while (!(await server.#answers(command.probe ?? '/'))) {
      if (server.#child.exitCode === null && server.#child.pid !== undefined && Date.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, PROBE_INTERVAL));
        continue;
      }
      await server.stop();
      throw new Error(`${command.name} does not start:\n${server.#said}`);
    }
    server.#startUp = performance.now() - server.#spawned;
    await server.#bind(command.core ?? SERVER_CORE);
    return server;
  }

  /**
   * Asks for a file, or a range of it, on a connection of its own. Any certificate is good.
   * @param range value of the Range field
   */
  async get(path: string, range?: string): Promise<{ readonly status: number; readonly body: Buffer }> {
    const answer = await this.#ask('GET', path, range === undefined ? {} : { range });
    return { status: answer.statusCode ?? 0, body: await buffer(answer) };
  }

  async #ask(method: 'GET' | 'HEAD', path: string, headers: Record<string, string>): Promise<IncomingMessage> {
    const send = this.url.startsWith('https:') ? httpsRequest : httpRequest;
    const options = { method, headers, agent: false, rejectUnauthorized: false, timeout: SILENCE };
    const request = send(`${this.url}${path}`, options).end();
    request.on('timeout', () => request.destroy(new Error(`${this.name} is silent`)));
    // What goes wrong after the head is the answer's error too.
    request.on('error', () => {});
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return answer;
  }

  /**
   * Binds all threads that it has made, once more: some programs choose cores for their threads, whatever they were
   * told.
   */
  async #bind(core: number): Promise<void> {
    const pids = processTree(this.#child.pid!);
    await Promise.all(pids.map(pid => run('taskset', ['-a', '-c', '-p', String(core), String(pid)])));
  }

  async #answers(path: string): Promise<boolean> {
    try {
      const answer = await this.#ask('HEAD', path, {});
      answer.resume();
      return answer.statusCode !== undefined && answer.statusCode < 500;
    } catch {
      return false;
    }
  }

  /** Milliseconds that it took to answer. */
  get startUp(): number {
    return this.#startUp;
  }

  /** CPU seconds of all of its processes since it was started. */
  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid!);
  }

  /** As `loopClock`, for its processes of now. */
  loopClock(): () => number {
    return loopClock(this.#child.pid!);
  }

  memory(): Memory {
    return memory(this.#child.pid!);
  }

  /** What it wrote to stdout and stderr last. */
  get said(): string {
    return this.#said;
  }

  async stop(): Promise<void> {
    running.delete(this);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT);
    await gone;
    clearTimeout(timer);
  }
}

/** Runs a client that is part of this process, on the client's core. */
export async function onClientCore<T>(work: () => Promise<T>): Promise<T> {
  const cores = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]!;
  const bind = (list: string) => run('taskset', ['-a', '-c', '-p', list, String(process.pid)]);
  await bind(String(CLIENT_CORE));
  try {
    return await work();
  } finally {
    await bind(cores);
  }
}

const running = new Set<Server>();

/** Stops every server that still runs. */
export async function stopAll(): Promise<void> {
  await Promise.all(Array.from(running, server => server.stop()));
}
