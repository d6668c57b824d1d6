import { type ChildProcess, spawn } from 'node:child_process';
import { until } from '../../support/until.js';
import type { Host } from './network.js';

/** Milliseconds that a program may take to end by itself. */
const GRACE = 30_000;

/** A program on a host, in a process group of its own, which signals go to. */
export class Program {
  readonly name: string;
  readonly host: Host;
  readonly #command: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #line: (text: string) => void;
  #child: ChildProcess | undefined;
  #stopped = false;
  /** What it has said last. */
  words = '';

  /** @param line takes each line that it writes to standard error */
  constructor(
    name: string,
    host: Host,
    command: readonly string[],
    line: (text: string) => void,
    env: NodeJS.ProcessEnv = {},
  ) {
    this.name = name;
    this.host = host;
    this.#command = command;
    this.#line = line;
    this.#env = env;
  }

  /** Starts it, for the first time, again, or beside the one that it is to take over from. */
  start(...more: readonly string[]): void {
    const [program = '', ...args] = [...this.host.within, ...this.#command, ...more];
    const env = { ...process.env, ...this.#env };
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env });
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#line(line);
      this.words = (this.words + text).slice(-1000);
    });
    child.on('error', error => {
      this.words += error.message;
    });
    this.#child = child;
  }

  get isAlive(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** To every process of it. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child!.pid!, signal);
    } catch {}
    this.#stopped = signal === 'SIGSTOP' || (this.#stopped && signal !== 'SIGCONT');
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await until(`${this.name} to be gone`, () => !this.isAlive);
  }

  /** SIGTERM to its first process, as an operator stops it. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    const end = performance.now() + GRACE;
    await until(`${this.name} to end`, () => !this.isAlive || performance.now() > end, 2 * (GRACE / 1000));
    this.signal('SIGKILL');
  }

  /** SIGHUP to its first process. */
  reload(): void {
    this.#child?.kill('SIGHUP');
  }

  /** Starts another that takes over from this one, which then ends. */
  async takeOver(): Promise<void> {
    const old = this.#child!;
    this.start('--take-over');
    const hasEnded = () => old.exitCode !== null || old.signalCode !== null;
    try {
      await until(`${this.name} to be taken over`, hasEnded, 90);
    } finally {
      // Nobody would know of it any more.
      if (!hasEnded()) process.kill(-old.pid!, 'SIGKILL');
    }
  }
}
