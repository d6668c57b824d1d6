import { EdgeError } from '../base/errors.js';
import { describeExit, type ExitStatus } from '../base/exit-status.js';
import type { Log } from '../base/log.js';
import { Backoff } from './backoff.js';
import type { WorkerReport } from './messages.js';
import { WorkerProcess, type WorkerStart } from './worker-process.js';

/** Looks without an answer after which a worker counts as hung and is replaced. */
const MISSED_MAX = 6;
/** Looks without an answer after which a worker is not counted on. */
const SILENCE_MAX = 2.5;
/** What all slots of an edge have in common. */
export interface SlotOptions {
  readonly log: Log;
  readonly events: SlotEvents;
  /** Milliseconds between looks at a worker; each look asks for its report. */
  readonly lookInterval: number;
  /** Descriptors that a worker that starts inherits. */
  readonly inherited: () => readonly number[];
  /** What services have told all workers last, by name. */
  readonly told: ReadonlyMap<string, readonly unknown[]>;
}

/** Told what happens in a slot. */
export interface SlotEvents {
  report(worker: WorkerProcess, report: WorkerReport): void;
  /** A worker has told something to the services. */
  event(name: string, args: readonly unknown[]): void;
  /** A worker is gone; `wanted` when it had been told to go. */
  gone(worker: WorkerProcess, wanted: boolean, exit: ExitStatus): void;
  /** A worker that should replace another finds the edge in a state in which none can start. */
  hopeless(error: EdgeError): void;
}

/**
 * One worker's place in a generation: holds a process, and replaces it when it dies or hangs.
 * A first process that fails to start is not replaced: then the configuration or the machine is at fault.
 */
export class WorkerSlot {
  readonly #start: WorkerStart;
  readonly #log: Log;
  readonly #events: SlotEvents;
  readonly #lookInterval: number;
  readonly #inherited: () => readonly number[];
  readonly #told: ReadonlyMap<string, readonly unknown[]>;
  /** `performance.now()` of the last report. */
  #answeredAt = Number.NEGATIVE_INFINITY;
  #worker!: WorkerProcess;
  #closed = false;
  /** True once a process of this slot was ready; before, a death is told by `ready` and nothing is replaced. */
  #hasServed = false;
  readonly #backoff = new Backoff({ early: 5000, first: 100, longest: 5000, free: 1 });
  #missed = 0;
  readonly #look: NodeJS.Timeout;
  /** Resolves when the first process serves; rejects with an EdgeError when it can't. */
  readonly ready: Promise<void>;
  #settle!: { resolve(): void; reject(error: EdgeError): void };

  constructor(start: WorkerStart, { log, events, lookInterval, inherited, told }: SlotOptions) {
    this.#start = start;
    this.#log = log;
    this.#events = events;
    this.#lookInterval = lookInterval;
    this.#inherited = inherited;
    this.#told = told;
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ready.catch(() => {});
    this.#spawn();
    this.#look = setInterval(() => void this.look(lookInterval), lookInterval);
  }

  /** The process that fills the slot; it may be gone, with its replacement due. */
  get worker(): WorkerProcess {
    return this.#worker;
  }

  /** True when the worker serves, and has answered within a few looks. */
  get answers(): boolean {
    return this.#worker.state === 'ready' && performance.now() - this.#answeredAt < SILENCE_MAX * this.#lookInterval;
  }

  /** Asks the worker for its report and hands it to the events; one that does not answer time and again is killed. */
  async look(timeout: number): Promise<void> {
    const worker = this.#worker;
    if (worker.state !== 'ready' && worker.state !== 'draining') return;
    try {
      const report = await worker.report(timeout);
      this.#missed = 0;
      this.#answeredAt = performance.now();
      this.#events.report(worker, report);
    } catch {
      if (worker !== this.#worker || worker.isGone || timeout !== this.#lookInterval) return;
      if (++this.#missed < MISSED_MAX) return;
      this.#log.error({ worker: worker.index, workerPid: worker.pid }, 'a worker hangs and is killed');
      worker.kill();
    }
  }

  /** Tells the worker to finish within `deadline` milliseconds; nothing replaces it. Resolves when it is gone. */
  async drain(deadline: number): Promise<void> {
    this.#closed = true;
    this.#backoff.cancel();
    this.#worker.drain(deadline);
    await this.#worker.exited;
    clearInterval(this.#look);
  }

  #spawn(): void {
    this.#missed = 0;
    let reason: EdgeError | undefined;
    const worker = new WorkerProcess(this.#start, this.#inherited(), {
      ready: () => {
        this.#hasServed = true;
        this.#answeredAt = performance.now();
        this.#log.info({ worker: worker.index, generation: worker.generation, workerPid: worker.pid }, 'worker ready');
        this.#settle.resolve();
      },
      failed: error => {
        reason = error;
      },
      report: report => this.#events.report(worker, report),
      event: (name, args) => this.#events.event(name, args),
      exited: exit => {
        this.#events.gone(worker, this.#closed, exit);
        if (this.#hasServed && !this.#closed) this.#replace(worker, exit, reason);
        const code = exit.code === null && exit.signal === null ? 'system' : 'internal';
        this.#settle.reject(
          reason ?? new EdgeError(code, `worker ${worker.index} ended before it was ready: ${describeExit(exit)}`),
        );
      },
    });
    this.#worker = worker;
    for (const [name, args] of this.#told) worker.tell(name, args);
  }

  #replace(worker: WorkerProcess, exit: ExitStatus, reason: EdgeError | undefined): void {
    // Its memory is gone: what others find there would be gone for the next one, too.
    if (reason?.code === 'cache_file') this.#events.hopeless(reason);
    const delay = this.#backoff.replace(Date.now() - worker.startedAt, () => this.#spawn());
    const fields = {
      worker: worker.index,
      generation: worker.generation,
      workerPid: worker.pid,
      how: describeExit(exit),
      reason: reason?.message,
      delay,
    };
    this.#log.error(fields, 'a worker died and is replaced');
  }
}
