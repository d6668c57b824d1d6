import { asEdgeError, EdgeError } from '../base/errors.js';
import { createLog, type ProcessLog } from '../observe/log.js';
import type { MetricsSnapshot } from '../observe/metrics.js';
import type { ErrorMessage, ToSupervisor, ToWorker, WorkerReport } from './messages.js';
import { tellParent } from './parent.js';
import type { ServiceEvents, SupervisorEvents } from './service.js';
import type { SupervisedConfig } from './supervised-config.js';

/** How long after its deadline a drain that does not end is left before the process exits all the same. */
const DRAIN_OVERTIME = 500;

/** What a worker knows of its place in the edge. */
export interface WorkerLink<Events extends ServiceEvents<Events> = SupervisorEvents> {
  /** Number of the worker within its generation, from 0; a replacement has the number of the dead. */
  readonly index: number;
  /** Workers of this generation. */
  readonly workers: number;
  /** Counts reloads, from 1. */
  readonly generation: number;
  /** Descriptors that the services have handed down, in their order. */
  readonly inherited: readonly number[];
  readonly log: ProcessLog;
  /** Tells the services of something; the arguments travel as JSON. */
  emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name] & unknown[]): void;
  /**
   * Takes what a service tells all workers by `ServiceContext.tell`; what it has told last, at once. One listener for
   * each name.
   */
  on<Name extends keyof Events & string>(name: Name, listener: (...args: Events[Name] & unknown[]) => void): void;
}

/** A worker that serves, as its process's link to the supervisor sees it. */
export interface WorkerHandle {
  /**
   * Stops accepting without losing a connection that the kernel has taken, and finishes the answers under way; those
   * that still run `deadline` milliseconds from now are cut. May be called again, with a nearer deadline. Resolves when
   * no connection is left.
   */
  drain(deadline: number): Promise<void>;
  metrics(): Promise<MetricsSnapshot>;
  /** Counters of the modules, for people; plain data. */
  stats(): object;
  /** Opens log files again by their names. */
  reopenLogs(): void;
}

/** How a worker is made. */
export interface WorkerOptions<Config extends SupervisedConfig, Events extends ServiceEvents<Events>> {
  /**
   * Starts serving; resolves when players are served.
   * @throws EdgeError whose message is shown to the person who starts the edge
   */
  start(config: Config, link: WorkerLink<Events>): Promise<WorkerHandle>;
}

/**
 * Makes this process a worker of the supervisor that forked it, until it is drained. A supervisor that dies drains its
 * workers; SIGTERM drains this one. SIGINT and SIGHUP, which a terminal sends to all processes, are the supervisor's
 * business.
 */
export function runWorker<Config extends SupervisedConfig, Events extends ServiceEvents<Events>>(
  options: WorkerOptions<Config, Events>,
): void {
  const worker = new WorkerMain(options);
  process.on('message', (message: ToWorker) => worker.take(message));
  process.on('disconnect', () => worker.drain(undefined, 'the supervisor is gone'));
  process.on('SIGTERM', () => worker.drain(undefined, 'told to stop by SIGTERM'));
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('uncaughtException', error => worker.crash(error));
  process.on('unhandledRejection', error => worker.crash(error));
  if (!process.connected) {
    process.stderr.write('moovedge: a worker is started by the supervisor; use: moovedge serve\n');
    process.exit(1);
  }
}

class WorkerMain<Config extends SupervisedConfig, Events extends ServiceEvents<Events>> {
  readonly #options: WorkerOptions<Config, Events>;
  #config: SupervisedConfig | undefined;
  #log: ProcessLog | undefined;
  /** Rejects when the start fails, which ends the process. */
  #started: Promise<WorkerHandle> | undefined;
  #draining = false;
  #exitTimer: NodeJS.Timeout | undefined;
  #exitAt = Number.POSITIVE_INFINITY;
  readonly #told = new Map<string, readonly unknown[]>();
  readonly #listeners = new Map<string, (...args: never) => void>();

  constructor(options: WorkerOptions<Config, Events>) {
    this.#options = options;
  }

  take(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#start(message);
        break;
      case 'drain':
        this.drain(message.deadline, 'told to drain by the supervisor');
        break;
      case 'reopenLogs':
        void this.#started?.then(handle => handle.reopenLogs()).catch(() => {});
        break;
      case 'event':
        this.#told.set(message.name, message.args);
        this.#listeners.get(message.name)?.(...(message.args as never));
        break;
      case 'ask':
        void this.#answer(message.id);
        break;
    }
  }

  /** @param deadline milliseconds; undefined for the grace that the configuration gives */
  drain(deadline = this.#config?.shutdown.grace ?? 0, reason: string): void {
    this.#exitWithin(deadline + DRAIN_OVERTIME);
    if (this.#started === undefined) process.exit(0);
    const isFirst = !this.#draining;
    this.#draining = true;
    if (isFirst) this.#log?.info({ deadline }, reason);
    void this.#started
      .then(handle => (isFirst ? this.#finish(handle, deadline) : handle.drain(deadline)))
      .catch(() => {});
  }

  crash(error: unknown): void {
    if (this.#log === undefined) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    this.#log?.error({ error }, 'a defect: the worker ends and is replaced');
    this.#log?.flush();
    process.exit(1);
  }

  #start({ type: _, config, ...place }: ToWorker & { type: 'start' }): void {
    const { index } = place;
    process.title = `moovedge worker ${index}`;
    const log = createLog({ ...config.log, process: `worker ${index}` });
    this.#config = config;
    this.#log = log;
    const emit: WorkerLink<Events>['emit'] = (name, ...args) => send({ type: 'event', name, args });
    const on: WorkerLink<Events>['on'] = (name, listener) => {
      this.#listeners.set(name, listener);
      const last = this.#told.get(name);
      if (last !== undefined) listener(...(last as never));
    };
    // The supervisor sends what it was started with.
    this.#started = this.#options.start(config as Config, { ...place, log, emit, on });
    this.#started.then(
      () => send({ type: 'ready' }),
      error => {
        if (!(error instanceof EdgeError)) log.error({ error }, 'the worker failed to start');
        log.flush();
        send({ type: 'failed', error: toMessage(error) }, () => process.exit(1));
      },
    );
  }

  async #answer(id: number): Promise<void> {
    try {
      const handle = await this.#started;
      if (handle !== undefined) send({ type: 'answer', id, report: await report(handle) });
    } catch (error) {
      this.#log?.error({ error }, 'the worker can not report');
    }
  }

  async #finish(handle: WorkerHandle, deadline: number): Promise<void> {
    try {
      await handle.drain(deadline);
    } catch (error) {
      this.#log?.error({ error }, 'the drain failed');
    }
    const farewell = await report(handle).catch(() => undefined);
    this.#log?.flush();
    if (farewell === undefined) process.exit(0);
    send({ type: 'farewell', report: farewell }, () => process.exit(0));
  }

  #exitWithin(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (at >= this.#exitAt) return;
    this.#exitAt = at;
    clearTimeout(this.#exitTimer);
    this.#exitTimer = setTimeout(() => process.exit(0), Math.min(milliseconds, 2 ** 31 - 1));
  }
}

async function report(handle: WorkerHandle): Promise<WorkerReport> {
  return { metrics: await handle.metrics(), stats: handle.stats() };
}

/** Sends to the supervisor. @param done called when it has gone out, or can't */
function send(message: ToSupervisor, done?: () => void): void {
  tellParent(message, done);
}

function toMessage(error: unknown): ErrorMessage {
  const { code, message } = asEdgeError(error);
  return { code, message };
}
