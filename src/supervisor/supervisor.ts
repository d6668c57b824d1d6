import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import type { EdgeError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { MergedMetrics } from '../observe/merged-metrics.js';
import { Metrics } from '../observe/metrics.js';
import { type Totals, totalsOf } from '../observe/totals.js';
import { Windows } from '../observe/windows.js';
import { Generation } from './generation.js';
import { requireFreePort } from './port.js';
import type { Service, ServiceEvents, ServicesFactory } from './service.js';
import type { SupervisedConfig } from './supervised-config.js';
import type { WorkerProcess } from './worker-process.js';

/** Milliseconds that a generation may take to be ready: reserving a large memory tier takes long. */
const START_TIMEOUT = 10 * 60_000;
/** Milliseconds that a scrape waits for a worker; one that is slower is told as it last was. */
const SCRAPE_TIMEOUT = 1000;
const LOOK_INTERVAL = 5000;
/** Milliseconds between two samples of all metrics. */
const SAMPLE_INTERVAL = 5000;
/** Generations that may finish long answers at once; with more, the oldest is given `shutdown.grace`. */
const DRAINING_MAX = 4;

/** What a supervisor is made from. */
export interface SupervisorOptions<Config extends SupervisedConfig, Events extends ServiceEvents<Events>> {
  readonly config: Config;
  /** Module that calls `runWorker`. */
  readonly workerEntry: string;
  readonly log: Log;
  readonly services: ServicesFactory<Config, Events>;
  /** Version of this program. */
  readonly version: string;
  /** True to start beside an older edge that listens on the same port. */
  readonly takeOver: boolean;
  /** Told that the edge can't go on and has to be started again. */
  readonly hopeless: (error: EdgeError) => void;
  /** Milliseconds between looks at each worker; one that misses several is killed. 5 s when left out. */
  readonly lookInterval?: number;
}

/** A worker in `/stats`. */
export interface WorkerStats {
  readonly index: number;
  readonly generation: number;
  readonly pid: number | undefined;
  readonly state: WorkerProcess['state'];
  readonly uptimeSeconds: number;
  /** Counters of its modules; undefined before the first report. */
  readonly stats: object | undefined;
}

/** What came of a reload. */
export interface ReloadOutcome {
  readonly ok: boolean;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Why the configuration was not taken. */
  readonly error?: string | undefined;
}

/** The edge as it stands, in `/stats`. */
export interface EdgeStats {
  readonly version: string;
  readonly pid: number;
  readonly ready: boolean;
  /** True when it has been told to serve without being ready. */
  readonly drained: boolean;
  readonly uptimeSeconds: number;
  readonly generation: number;
  /** The first address with a port, by which the edge is known. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Every address at which players connect. */
  readonly listeners: SupervisedConfig['listen'];
  readonly totals: Totals;
  /** What it did in the last minutes and the last hour. */
  readonly windows: ReturnType<Windows['read']>;
  /** The last reload, or the start where there was none. */
  readonly reload: ReloadOutcome;
  readonly workers: readonly WorkerStats[];
  readonly services: object;
}

/**
 * Keeps the workers of an edge alive, replaces them at a reload, and adds up what they count. Stays out of the players'
 * way.
 */
export class Supervisor<Config extends SupervisedConfig, Events extends ServiceEvents<Events>> {
  readonly #options: SupervisorOptions<Config, Events>;
  readonly #log: Log;
  readonly #startedAt = Date.now();
  readonly #metrics = new Metrics();
  readonly #merged = new MergedMetrics();
  readonly #windows = new Windows();
  #sampling: NodeJS.Timeout | undefined;
  #reload: ReloadOutcome = { ok: true, time: this.#startedAt };
  /** When a configuration was taken last. */
  #takenAt = this.#startedAt;
  readonly #reports = new Map<WorkerProcess, object>();
  /** What happens to workers, and what they tell, for the services to listen to. */
  readonly #events = new EventEmitter<Events>();
  /** What services have told all workers last, by name. */
  readonly #told = new Map<string, readonly unknown[]>();
  #services: readonly Service<Config>[] = [];
  /** The generation that serves is the last; those before it drain. */
  #generations: Generation<Config>[] = [];
  /** The generation of a reload that is not ready yet. */
  #coming: Generation<Config> | undefined;
  #lastNumber = 0;
  #restarts = 0;
  #stopping: Promise<void> | undefined;
  #isLeaving = false;
  readonly #hurry = new AbortController();
  /** True to serve without being ready, so that whoever sends it players sends them elsewhere. */
  isDrained = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SupervisorOptions<Config, Events>) {
    this.#options = options;
    this.#log = options.log;
    this.#metrics.counter('moovedge_worker_restarts_total', () => this.#restarts);
    this.#metrics.gauge('moovedge_workers', () => this.#countWorkers());
    this.#metrics.gauge('moovedge_config_last_reload_successful', () => Number(this.#reload.ok));
    this.#metrics.gauge('moovedge_config_last_reload_success_timestamp_seconds', () => this.#takenAt / 1000);
    this.#metrics.gauge('moovedge_build_info', () => [[{ version: options.version, node: process.version }, 1]]);
  }

  /** The configuration that is served. */
  get config(): Config {
    return this.#generations.at(-1)?.config ?? this.#options.config;
  }

  /**
   * True when the newest generation serves, with at least one worker at this moment, and nobody has told the edge to
   * stop or to take no more players.
   */
  get ready(): boolean {
    const generation = this.#generations.at(-1);
    return (
      !this.#isLeaving &&
      !this.isDrained &&
      this.#stopping === undefined &&
      generation?.state === 'serving' &&
      generation.slots.some(({ worker }) => worker.state === 'ready')
    );
  }

  /**
   * Starts the workers; resolves when all of them serve.
   * @throws EdgeError that people should read; nothing is left running then
   */
  async start(): Promise<void> {
    const { config, takeOver, services, log, hopeless, version } = this.#options;
    if (!takeOver) for (const { host, port } of portsOf(config)) await requireFreePort(host, port);
    this.#services = await services({
      config,
      log,
      metrics: this.#metrics,
      events: this.#events,
      version,
      takeOver,
      hopeless,
      hurry: this.#hurry.signal,
      tell: (name, ...args) => this.#tell(name, args),
      alive: () => this.#generations.at(-1)?.slots.some(({ answers }) => answers) === true,
    });
    try {
      if (!takeOver) await this.#startServices();
      await this.#serve(config);
    } catch (error) {
      await this.handOver();
      throw error;
    }
    void this.#sample();
    this.#sampling = setInterval(() => void this.#sample(), SAMPLE_INTERVAL).unref();
  }

  /**
   * After a start beside an older edge, which has handed over: becomes the only user of the edge's files.
   * @throws EdgeError that people should read
   */
  async succeed(): Promise<void> {
    await this.#startServices();
  }

  /**
   * Starts workers with another configuration, and drains those that serve when the new ones are ready. When they can't
   * be, nothing changes.
   * @throws EdgeError that says why
   */
  reload(config: Config): Promise<void> {
    const result = this.#turn.then(async () => {
      if (this.#stopping !== undefined) return;
      for (const service of this.#services) service.accepts?.(config);
      const own = new Set(portsOf(this.config).map(({ port }) => port));
      for (const { host, port } of portsOf(config)) if (!own.has(port)) await requireFreePort(host, port);
      await this.#serve(config);
      for (const service of this.#services) await service.reconfigure?.(config);
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Notes what has come of a reload, whoever found that. @param error why the configuration was not taken */
  reloaded(error?: string): void {
    this.#reload = { ok: error === undefined, time: Date.now(), error };
    if (error === undefined) this.#takenAt = this.#reload.time;
  }

  /** Tells every worker to open its log files again. */
  reopenLogs(): void {
    for (const { worker } of this.#slots()) worker.reopenLogs();
  }

  /**
   * Lets go of the edge's files, because another edge is about to use them. The workers serve on; `stop` is to follow.
   */
  async handOver(): Promise<void> {
    const services = this.#services;
    this.#services = [];
    // Workers drain on, whose ends concern nobody who has let go of what they used.
    this.#events.removeAllListeners();
    for (const service of services.toReversed()) {
      try {
        await service.stop();
      } catch (error) {
        this.#log.error({ error, service: service.name }, 'a service did not stop');
      }
    }
  }

  /** The edge serves on, but is not ready from here on, so that whoever sends it players sends them elsewhere. */
  leave(): void {
    this.#isLeaving = true;
    for (const service of this.#services) service.leave?.();
  }

  /**
   * Drains all workers; those that still answer after `deadline` milliseconds are cut. Resolves when no process is
   * left. May be called again with a nearer deadline.
   */
  stop(deadline: number): Promise<void> {
    const drained = Promise.all(this.#all().map(generation => generation.drain(deadline)));
    clearInterval(this.#sampling);
    this.#stopping ??= (async () => {
      await drained;
      await this.#turn;
      await this.handOver();
    })();
    return this.#stopping;
  }

  /** Ends every process at once. */
  kill(): void {
    this.#hurry.abort();
    for (const generation of this.#all()) generation.kill();
  }

  /** Everything in the form of Prometheus. */
  async metricsText(): Promise<string> {
    return (await this.#merge()).text;
  }

  async stats(): Promise<EdgeStats> {
    const { snapshot } = await this.#merge();
    const [{ host, port } = NO_PORT] = portsOf(this.config);
    return {
      version: this.#options.version,
      pid: process.pid,
      ready: this.ready,
      drained: this.isDrained,
      uptimeSeconds: Math.round((Date.now() - this.#startedAt) / 1000),
      generation: this.#generations.at(-1)?.number ?? 0,
      listen: { host, port },
      listeners: this.config.listen.map(each => ({ host: each.host, port: each.port, unix: each.unix })),
      totals: totalsOf(snapshot),
      windows: this.#windows.read(),
      reload: this.#reload,
      workers: this.#slots().map(({ worker }) => ({
        index: worker.index,
        generation: worker.generation,
        pid: worker.pid,
        state: worker.state,
        uptimeSeconds: Math.round((Date.now() - worker.startedAt) / 1000),
        stats: this.#reports.get(worker),
      })),
      services: Object.fromEntries(this.#services.map(service => [service.name, service.stats?.()])),
    };
  }

  async #startServices(): Promise<void> {
    for (const service of this.#services) await service.start?.();
  }

  /** The names and arguments of events are agreed between workers and services; here they only pass by. */
  #emit(name: string, args: readonly unknown[]): void {
    (this.#events as EventEmitter).emit(name, ...args);
  }

  #tell(name: string, args: readonly unknown[]): void {
    this.#told.set(name, args);
    for (const { worker } of this.#slots()) worker.tell(name, args);
  }

  /** Starts a generation and, when it serves, drains the one before. */
  async #serve(config: Config): Promise<void> {
    const { workerEntry: entry, log, hopeless, lookInterval = LOOK_INTERVAL } = this.#options;
    const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
    const generation = new Generation(++this.#lastNumber, config, workers, {
      entry,
      log,
      lookInterval,
      told: this.#told,
      inherited: () => this.#services.flatMap(({ inherited = [] }) => inherited),
      events: {
        hopeless,
        report: (worker, report) => {
          this.#merged.update(sourceOf(worker), report.metrics);
          this.#reports.set(worker, report.stats);
        },
        event: (name, args) => this.#emit(name, args),
        gone: (worker, wanted, exit) => {
          this.#emit('workerGone', [exit]);
          if (!wanted && generation.state !== 'starting') this.#restarts++;
          this.#reports.delete(worker);
          void this.#merged.end(sourceOf(worker));
        },
      },
    });
    this.#coming = generation;
    try {
      await generation.ready(START_TIMEOUT);
    } catch (error) {
      await generation.drain(0);
      throw error;
    } finally {
      this.#coming = undefined;
    }
    const [before] = this.#generations.slice(-1);
    this.#generations.push(generation);
    if (before !== undefined) this.#retire(before);
  }

  #retire(generation: Generation<Config>): void {
    const { grace, reloadGrace } = this.config.shutdown;
    this.#log.info({ generation: generation.number }, 'the old workers drain');
    void generation.drain(reloadGrace).then(() => {
      this.#generations = this.#generations.filter(each => each !== generation);
      this.#log.info({ generation: generation.number }, 'the old workers are gone');
    });
    const draining = this.#generations.filter(({ state }) => state === 'draining');
    for (const old of draining.slice(0, -DRAINING_MAX)) void old.drain(Math.min(grace, reloadGrace));
  }

  /** Looks at all counters, for what is told of spans of time. */
  async #sample(): Promise<void> {
    const { snapshot } = await this.#merge();
    const now = Date.now();
    this.#windows.add(snapshot, now);
    for (const service of this.#services) service.sample?.(snapshot, now);
  }

  async #merge() {
    await Promise.all(this.#slots().map(slot => slot.look(SCRAPE_TIMEOUT)));
    return this.#merged.merge(await this.#metrics.snapshot());
  }

  #countWorkers(): [labels: { state: string }, count: number][] {
    const states = ['starting', 'ready', 'draining'] as const;
    const workers = this.#slots().map(({ worker }) => worker.state);
    return states.map(state => [{ state }, workers.filter(each => each === state).length]);
  }

  #slots() {
    return this.#all().flatMap(({ slots }) => slots);
  }

  #all(): readonly Generation<Config>[] {
    return this.#coming === undefined ? this.#generations : [...this.#generations, this.#coming];
  }
}

/** What `/stats` says of an edge without a port. */
const NO_PORT = { host: '', port: 0 };

function portsOf({ listen }: SupervisedConfig): SupervisedConfig['listen'] {
  return listen.filter(({ unix }) => unix === undefined);
}

function sourceOf({ generation, index, pid, startedAt }: WorkerProcess): string {
  return `${generation}/${index}/${pid}/${startedAt}`;
}
