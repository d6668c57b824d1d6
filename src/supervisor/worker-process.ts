import { EdgeError } from '../base/errors.js';
import type { ExitStatus } from '../base/exit-status.js';
import { ChildProcess, FIRST_INHERITED } from './child-process.js';
import type { ToSupervisor, ToWorker, WorkerReport } from './messages.js';
import type { SupervisedConfig } from './supervised-config.js';

/** What a worker process is started with. */
export interface WorkerStart {
  /** Module that calls `runWorker`. */
  readonly entry: string;
  readonly config: SupervisedConfig;
  readonly index: number;
  /** Workers of the generation. */
  readonly workers: number;
  readonly generation: number;
}

/** Told what happens to a worker process, from the event loop. */
export interface WorkerEvents {
  ready(): void;
  /** Its start failed for a reason that people should read; `exited` follows. */
  failed(error: EdgeError): void;
  report(report: WorkerReport): void;
  /** It has told something to the services. */
  event(name: string, args: readonly unknown[]): void;
  /** The process is gone. Called once, last. */
  exited(exit: ExitStatus): void;
}

/** One worker process, seen from the supervisor. */
export class WorkerProcess {
  readonly index: number;
  readonly generation: number;
  state: 'starting' | 'ready' | 'draining' | 'gone' = 'starting';
  readonly #child: ChildProcess<ToWorker, ToSupervisor>;
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
    this.#child = new ChildProcess({
      entry,
      inherit: inherited,
      message: message => this.#take(message),
      exited: exit => this.#gone(exit),
    });
    this.#child.send({ type: 'start', ...start, inherited: inherited.map((_, index) => FIRST_INHERITED + index) });
  }

  get isGone(): boolean {
    return this.state === 'gone';
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Milliseconds since 1970. */
  get startedAt(): number {
    return this.#child.startedAt;
  }

  /** Resolves when the process is gone. */
  get exited(): Promise<void> {
    return this.#child.exited;
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
      this.#child.send({ type: 'ask', id });
    });
  }

  /** Tells the worker to drain within `deadline` milliseconds and exit. */
  drain(deadline: number): void {
    if (this.state === 'gone') return;
    this.state = 'draining';
    this.#child.send({ type: 'drain', deadline });
  }

  /** Tells it something of a service. */
  tell(name: string, args: readonly unknown[]): void {
    if (this.state !== 'gone') this.#child.send({ type: 'event', name, args });
  }

  reopenLogs(): void {
    this.#child.send({ type: 'reopenLogs' });
  }

  kill(): void {
    this.#child.kill();
  }

  #gone(exit: ExitStatus): void {
    this.state = 'gone';
    for (const { reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(new EdgeError('internal', `worker ${this.index} is gone`));
    }
    this.#asked.clear();
    this.#events.exited(exit);
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
      case 'event':
        this.#events.event(message.name, message.args);
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
