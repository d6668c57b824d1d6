import { fork, type ChildProcess as NodeChild } from 'node:child_process';
import type { ExitStatus } from '../base/exit-status.js';

/** Number of the first descriptor that a child inherits, after standard input, output, error and the channel. */
export const FIRST_INHERITED = 4;

/** What a child process is started with. */
export interface ChildOptions<From> {
  /** Module that it runs. */
  readonly entry: string;
  readonly args?: readonly string[];
  /** Open descriptors that it shall have, from `FIRST_INHERITED` on. */
  readonly inherit?: readonly number[];
  /** False to throw away what it prints; its errors always go where this process's go. */
  readonly prints?: boolean;
  /** How messages are written: `advanced` for typed arrays and maps. Default `json`. */
  readonly serialization?: 'json' | 'advanced';
  /** It has said something. */
  message(message: From): void;
  /** It is gone, or never came to be. Called once, after its last message. */
  exited(exit: ExitStatus): void;
}

/** A process that this one has forked, and the channel to it. It is expected to end when the channel is closed. */
export class ChildProcess<To extends object, From extends object> {
  /** Milliseconds since 1970. */
  readonly startedAt = Date.now();
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  readonly #child: NodeChild;
  #isGone = false;

  constructor({ entry, args = [], inherit = [], prints = true, serialization = 'json', ...told }: ChildOptions<From>) {
    this.#child = fork(entry, args, {
      serialization,
      stdio: ['ignore', prints ? 'inherit' : 'ignore', 'inherit', 'ipc', ...inherit],
    });
    this.#child.on('message', message => told.message(message as From));
    // A process that is gone, or that never came to be, is told by `close` or by the lack of a pid.
    this.#child.on('error', () => {});
    this.exited = new Promise(resolve => {
      const gone = (code: number | null, signal: NodeJS.Signals | null) => {
        if (this.#isGone) return;
        this.#isGone = true;
        told.exited({ code, signal });
        resolve();
      };
      // `exit` may come before the last messages; once this side has closed the channel there are none, and no `close`.
      this.#child.on('close', gone);
      this.#child.on('exit', (code, signal) => {
        if (!this.#child.connected) gone(code, signal);
      });
      if (this.#child.pid === undefined) setImmediate(gone, null, null);
    });
  }

  /** Undefined when the system has no room for another process. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Says something to the process; nothing when it is gone. */
  send(message: To): void {
    if (this.#child.connected) this.#child.send(message);
  }

  /**
   * Closes the channel, or tells the process `order` that has it end, and ends it when it is still there after
   * `timeout` milliseconds.
   */
  async stop(timeout: number, order?: To): Promise<void> {
    const timer = setTimeout(() => this.kill(), timeout);
    if (order !== undefined) this.send(order);
    else if (this.#child.connected) this.#child.disconnect();
    await this.exited;
    clearTimeout(timer);
  }

  /** Ends the process at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
