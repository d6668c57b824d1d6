import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Agent, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { EdgeStats } from '../../../src/supervisor/supervisor.js';
import { freePorts } from '../../support/ports.js';
import { isAlive } from '../../support/processes.js';
import { until } from '../../support/until.js';

const MAIN = fileURLToPath(new URL('edge-main.ts', import.meta.url));

/** An answer's status and body. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** GET over a connection of its own, unless `agent` keeps some. */
export function fetchText(
  port: number,
  url: string,
  { agent, headers = {} }: { agent?: Agent; headers?: Record<string, string> } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const request = get(
      { host: '127.0.0.1', port, path: url, agent: agent ?? false, headers },
      (response: IncomingMessage) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', chunk => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
  });
}

/** What an edge of a test is started with. */
export interface EdgeOptions {
  readonly workers?: number;
  /** More lines of the configuration. */
  readonly settings?: string;
  readonly ports?: { readonly port: number; readonly adminPort: number };
  readonly takeOver?: boolean;
  /** True to start it without CAP_NET_ADMIN, as every user but root and Docker's default have it. */
  readonly unprivileged?: boolean;
}

/** Edges of the running test. What a failed test leaves behind would keep its file from ending. */
const running = new Set<EdgeProcess>();
afterEach(() => {
  for (const edge of running) edge.destroy();
});

/** An edge with fake workers in a process of its own. */
export class EdgeProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly file: string;
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  /** What it has written so far. */
  output = '';
  errors = '';
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'moovedge-edge-'));

  static async start(options: EdgeOptions = {}): Promise<EdgeProcess> {
    const edge = await EdgeProcess.launch(options);
    await until('ready', async () => {
      if (edge.child.exitCode !== null) assert.fail(`the edge ended: ${edge.errors}`);
      return edge.output.includes('Dashboard') ? true : undefined;
    });
    return edge;
  }

  /** Starts without waiting until it is ready. */
  static async launch(options: EdgeOptions): Promise<EdgeProcess> {
    const [port = 0, adminPort = 0] =
      options.ports === undefined ? await freePorts(2) : [options.ports.port, options.ports.adminPort];
    return new EdgeProcess(port, adminPort, options);
  }

  private constructor(
    port: number,
    adminPort: number,
    { workers = 2, settings = '', takeOver = false, unprivileged = false }: EdgeOptions,
  ) {
    this.port = port;
    this.adminPort = adminPort;
    this.file = path.join(this.#folder, 'edge.yaml');
    this.configure(settings, workers);
    const edge = [process.execPath, '--import', 'tsx', MAIN, this.file, ...(takeOver ? ['--take-over'] : [])];
    // A normal user has no right to give up.
    const drop = unprivileged && process.geteuid?.() === 0 ? ['setpriv', '--bounding-set=-net_admin'] : [];
    const [command = '', ...parameters] = [...drop, ...edge];
    this.child = spawn(command, parameters, {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', text => {
      this.output += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', text => {
      this.errors += text;
    });
    running.add(this);
    this.exited = new Promise(resolve => this.child.on('exit', (code, signal) => resolve({ code, signal })));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Writes the configuration anew. */
  configure(settings: string, workers = 2): void {
    const ports = `listen: {host: 127.0.0.1, port: ${this.port}}\nadmin: {port: ${this.adminPort}}\n`;
    writeFileSync(this.file, `${ports}workers: ${workers}\n${settings}`);
  }

  async stats(): Promise<EdgeStats> {
    const { body } = await fetchText(this.adminPort, '/stats');
    return JSON.parse(body);
  }

  /** Waits for a line of the log with this text. */
  logged(text: string): Promise<true> {
    return until(`log: ${text}`, () => (this.errors.includes(text) ? true : undefined));
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the edge, whatever the test did, and checks that no process is left. */
  async end(): Promise<void> {
    const pids = this.workerPids();
    if (this.child.exitCode === null && this.child.signalCode === null) this.kill('SIGTERM');
    await this.exited;
    await until('workers gone', () => (pids.some(isAlive) ? undefined : true));
    this.destroy();
  }

  /** Ends every process of the edge at once and forgets its files. */
  destroy(): void {
    running.delete(this);
    this.kill('SIGKILL');
    for (const pid of this.workerPids().filter(isAlive)) process.kill(pid, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Every worker that has been ready so far. */
  workerPids(): number[] {
    return [...this.errors.matchAll(/"workerPid":(\d+),"text":"worker ready"/g)].map(match => Number(match[1]));
  }
}
