import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { cpuSeconds, type Memory, memory } from './accounting.js';

/** Cores of the servers that are measured, and of everything else: the client, and the origin behind them. */
export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;

const START_TIMEOUT = 20_000;
const STOP_TIMEOUT = 10_000;

/** How a server is started. */
export interface ServerCommand {
  /** As it is called in tables. */
  name: string;
  command: string;
  args: readonly string[];
  port: number;
  core?: number;
  env?: Record<string, string>;
  /** Path that answers below 500 once the server is ready. The default is `/`. */
  probe?: string;
}

/** A server in a process of its own, bound to one core, with all of its children. */
export class Server {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(command: ServerCommand) {
    this.name = command.name;
    this.port = command.port;
    const core = String(command.core ?? SERVER_CORE);
    // It must not outlive a benchmark that is killed.
    const bound = ['--pdeathsig', 'TERM', 'taskset', '-c', core, command.command, ...command.args];
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
    while (!(await answers(`http://127.0.0.1:${command.port}${command.probe ?? '/'}`))) {
      if (server.#child.exitCode === null && server.#child.pid !== undefined && Date.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, 50));
        continue;
      }
      await server.stop();
      throw new Error(`${command.name} does not start:\n${server.#said}`);
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** CPU seconds of all of its processes since it was started. */
  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid!);
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

const running = new Set<Server>();

/** Stops every server that still runs. */
export async function stopAll(): Promise<void> {
  await Promise.all(Array.from(running, server => server.stop()));
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(2000) });
    return response.status < 500;
  } catch {
    return false;
  }
}
