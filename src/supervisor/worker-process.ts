import { type ChildProcess, fork } from 'node:child_process';
import type { ObjectId } from '../base/block.js';
import { EdgeError } from '../base/errors.js';
import type { Config } from '../config/schema.js';
import type { ToSupervisor, ToWorker, WorkerReport } from './messages.js';

/** What a worker process is started with. */
export interface WorkerStart {
  /** Module that calls `runWorker`. */
  readonly entry: string;
  readonly config: Config;
  readonly index: number;
  /** Workers of the generation. */
  readonly workers: number;
  readonly generation: number;
}

/** Number of the first descriptor that a worker inherits, after standard input, output, error and the channel. */
const FIRST_INHERITED = 4;

/** Told what happens to a worker process, from the event loop. */
export interface WorkerEvents {
  ready(): void;
  /** Its start failed for a reason that people should read; `exited` follows. */
  failed(error: EdgeError): void;
  report(report: WorkerReport): void;
  damagedBlock(id: ObjectId, block: number): void;
  /** The process is gone. Called once, last. `how` is its exit code or signal. */
  exited(how: string): void;
}

/** One worker process, seen from the supervisor. */
export class WorkerProcess {
  readonly index: number;
  readonly generation: number;
  /** Milliseconds since 1970. */
  readonly startedAt = Date.now();
  state: 'starting' | 'ready' | 'draining' | 'gone' = 'starting';
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  readonly #asked = new Map<
    number,
    { resolve(report: WorkerReport): void; reject(error: EdgeError): void; timer: NodeJS.Timeout }
  >();
  #lastId = 0;

  /** @param inherited descriptors of this process that the worker has, too */
  constructor({ entry, ...start }: WorkerStart, inherited: readonly number[], events: WorkerEvents) {
    this.index = start.index;
    this.generation = start.generation;
    this.#events = events;
    this.#child = fork(entry, [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...inherited],
    });
    this.#child.on('message', (message: ToSupervisor) => this.#take(message));
    // A worker that is gone, or that never came to be, is told by `exit` or by the lack of a pid.
    this.#child.on('error', () => {});
    this.exited = new Promise(resolve => {
      const gone = (how: string) => {
        if (this.state === 'gone') return;
        this.state = 'gone';
        for (const { reject, timer } of this.#asked.values()) {
          clearTimeout(timer);
          reject(new EdgeError('internal', `worker ${this.index} is gone`));
        }
        this.#asked.clear();
        events.exited(how);
        resolve();
      };
      // Not `exit`, which may come before the worker's last messages.
      this.#child.on('close', (code, signal) => gone(signal ?? `exit code ${code}`));
      if (this.#child.pid === undefined) setImmediate(gone, 'the system has no room for another process');
    });
    this.#send({ type: 'start', ...start, inherited: inherited.map((_, index) => FIRST_INHERITED + index) });
  }

  get isGone(): boolean {
    return this.state === 'gone';
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Asks the worker how it stands; one that is still starting answers when it is ready.
   * @param timeout milliseconds
   * @returns rejects with an EdgeError when it is gone or does not answer in time
   */
  report(timeout: number): Promise<WorkerReport> {
    if (this.state === 'gone') return Promise.reject(new EdgeError('internal', `worker ${this.index} is gone`));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new EdgeError('internal', `worker ${this.index} does not answer`));
      }, timeout);
      this.#asked.set(id, { resolve, reject, timer });
      this.#send({ type: 'ask', id });
    });
  }

  /** Tells the worker to drain within `deadline` milliseconds and exit. */
  drain(deadline: number): void {
    if (this.state === 'gone') return;
    this.state = 'draining';
    this.#send({ type: 'drain', deadline });
  }

  reopenLogs(): void {
    this.#send({ type: 'reopenLogs' });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message);
  }

  #take(message: ToSupervisor): void {
    switch (message.type) {
      case 'ready':
        if (this.state === 'starting') this.state = 'ready';
        this.#events.ready();
        break;
      case 'failed':
        this.#events.failed(new EdgeError(message.error.code, message.error.message));
        break;
      case 'farewell':
        this.#events.report(message.report);
        break;
      case 'damagedBlock':
        this.#events.damagedBlock(Uint32Array.from(message.id) as ObjectId, message.block);
        break;
      case 'answer': {
        const asked = this.#asked.get(message.id);
        this.#asked.delete(message.id);
        clearTimeout(asked?.timer);
        asked?.resolve(message.report);
        break;
      }
    }
  }
}
