import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { AdminPort } from '../admin/admin-port.js';
import {
  controlRoutes,
  type EdgeControl,
  type ReloadResult,
  type SnapshotResult,
  type StopTimes,
} from '../admin/control-routes.js';
import { historyRoutes } from '../admin/history-routes.js';
import { prefetchUrls } from '../admin/prefetch.js';
import { adminRoutes } from '../admin/routes.js';
import { EdgeError } from '../base/errors.js';
import { shownPlace } from '../config/listen-schema.js';
import { ConfigError, type ConfigSources, type FlagValue, loadConfig } from '../config/load.js';
import { mainListener } from '../config/places.js';
import type { Config } from '../config/schema.js';
import { createLog, type ProcessLog } from '../observe/log.js';
import { edgeAt } from '../supervisor/port.js';
import { type Listener, processOf } from '../supervisor/sockets.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { withHottest } from './edge-stats.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { version } from './package-files.js';
import type { Role } from './roles.js';
import { ServiceManager } from './service-manager.js';
import type { EdgeEvents } from './services/edge-events.js';
import type { EdgeServices } from './services/edge-services.js';
import { placesOf } from './services/origin-places.js';
import { ownAddress, playerAddress } from './services/player-address.js';
import { Successor } from './successor.js';

/**
 * Milliseconds after the first SIGTERM or SIGINT in which further ones say the same once more: a terminal and npm both
 * pass them on.
 */
const SAME_SIGNAL = 1000;
/** Milliseconds that an older edge may take to let go of its files and admin port. */
const HAND_OVER_WAIT = 30_000;
const HAND_OVER_INTERVAL = 50;

/** What an edge is made from. */
export interface EdgeOptions {
  /** Where the configuration is read, now and at each reload. */
  readonly sources: ConfigSources;
  /** The origins when nobody has named any. */
  readonly samples: FlagValue;
  /** True to take the port and the cache over from an edge that runs. */
  readonly takeOver: boolean;
  readonly role: Role;
  /** Told when players are served. */
  serving(config: Config): void;
}

/** A configuration that names no origin, with the sample clips, which any page may read: the demo player's, too. */
function withSamples(sources: ConfigSources, { http }: Config, samples: FlagValue): Config {
  const anyone: FlagValue = { flag: samples.flag, path: ['http', 'cors', 'origins'], value: ['*'] };
  const open = http.cors.origins.length === 0 ? [anyone] : [];
  return loadConfig({ ...sources, flags: [...sources.flags, samples, ...open] });
}

/**
 * An edge as a process: its supervisor, its services and its admin port, from the start to a signal that ends it.
 * SIGTERM and SIGINT drain, after `shutdown.delay`, and end it at once when repeated; SIGHUP reloads; SIGUSR1 opens log
 * files again; SIGUSR2 hands over to another edge.
 */
export class Edge implements EdgeControl {
  readonly #options: EdgeOptions;
  readonly #log: ProcessLog;
  readonly #config: Config;
  #isSample: boolean;
  readonly #supervisor: Supervisor<Config, EdgeEvents>;
  #services: EdgeServices | undefined;
  readonly #admin: AdminPort;
  readonly #manager: ServiceManager;
  #successor: Successor | undefined;
  readonly #hasTerminal = isatty(2);
  #isServing = false;
  #toldAt: number | undefined;
  /** Ends the time in which the edge serves on though it has been told to stop. */
  readonly #hurry = new AbortController();
  /** Reloads are made one after the other. */
  #reloads: Promise<unknown> = Promise.resolve();

  /** @throws ConfigError with every mistake of the configuration */
  constructor(options: EdgeOptions) {
    const { sources, samples, takeOver, role } = options;
    const given = loadConfig(sources);
    const isSample = given.origins.length === 0;
    const config = isSample ? withSamples(sources, given, samples) : given;
    const log = createLog({ ...config.log, process: 'supervisor' });
    this.#options = options;
    this.#isSample = isSample;
    this.#config = config;
    this.#log = log;
    this.#manager = new ServiceManager(process.env, log);
    const supervisor = new Supervisor<Config, EdgeEvents>({
      config,
      workerEntry: role.workerEntry,
      log,
      services: async context => {
        this.#services = await role.services(context);
        return this.#services.all;
      },
      version: version(),
      hopeless: error => void this.#fail(error),
      takeOver: takeOver && olderEdge(config) !== undefined,
    });
    this.#supervisor = supervisor;
    const routes = adminRoutes({
      get ready() {
        return supervisor.ready;
      },
      get drained() {
        return supervisor.isDrained;
      },
      get player() {
        return playerAddress(supervisor.config);
      },
      metricsText: () => supervisor.metricsText(),
      cluster: () => this.#services?.cluster,
      stats: async () => withHottest(await supervisor.stats(), placesOf(supervisor.config)),
      purge: async request => this.#running.purge(request),
      explain: url => this.#running.explain(url),
      list: async request => this.#running.list(request),
      prefetch: (request, progress, signal) => prefetchUrls(ownAddress(supervisor.config), request, progress, signal),
    });
    this.#admin = new AdminPort(
      { ...routes, ...controlRoutes(this), ...historyRoutes(() => this.#running.history) },
      log,
    );
  }

  /** What the admin port asks. @throws EdgeError `overloaded` while the edge is starting */
  get #running(): EdgeServices {
    if (this.#services === undefined) throw new EdgeError('overloaded', 'the edge is starting: ask again');
    return this.#services;
  }

  /**
   * Starts to serve.
   * @returns when players are served
   * @throws EdgeError that people should read, when it can't start
   */
  async run(): Promise<void> {
    process.on('SIGTERM', () => this.#stopOrKill());
    process.on('SIGINT', () => this.#stopOrKill());
    process.on('SIGHUP', () => this.#hangUp());
    process.on('SIGUSR1', () => this.#supervisor.reopenLogs());
    process.on('SIGUSR2', () => void this.#handOver());
    process.on('uncaughtException', error => this.#crash(error));
    process.on('unhandledRejection', error => this.#crash(error));
    const older = this.#options.takeOver ? olderEdge(this.#config) : undefined;
    try {
      if (older === undefined) await this.#admin.apply(this.#config.admin);
      await this.#supervisor.start();
      if (older !== undefined) {
        await this.#takeOver(older.pid);
        await this.#supervisor.succeed();
      }
    } catch (error) {
      // Told to stop while it started.
      if (this.#toldAt !== undefined) return;
      await this.#supervisor.stop(0);
      await this.#admin.close();
      throw error;
    }
    this.#isServing = true;
    const listen = this.#config.listen.map(shownPlace);
    this.#log.info({ version: version(), listen }, 'serving');
    this.#manager.ready(`serves at ${listen.join(', ')}`);
    this.#options.serving(this.#config);
  }

  /** Asks the older edge to let go, and takes its admin port, which it gives back last. */
  async #takeOver(pid: number): Promise<void> {
    this.#log.info({ olderPid: pid }, 'taking over from an older edge');
    this.#manager.takeOver();
    process.kill(pid, 'SIGUSR2');
    const end = performance.now() + HAND_OVER_WAIT;
    for (;;) {
      // Looked at before the port is tried: it may end in between, and what it held is free only from then on.
      const isRunning = processOf(pid) !== undefined;
      try {
        await this.#admin.apply(this.#config.admin);
        return;
      } catch (error) {
        if (performance.now() > end || !isRunning) throw error;
      }
      await sleep(HAND_OVER_INTERVAL);
    }
  }

  async #handOver(): Promise<void> {
    // Whoever takes over serves already.
    this.#hurry.abort();
    if (this.#toldAt !== undefined) return;
    this.#toldAt = performance.now();
    this.#manager.handOver();
    this.#successor?.succeed();
    this.#log.info({}, 'handing over to another edge');
    await this.#supervisor.handOver();
    await this.#admin.close();
    await this.#supervisor.stop(this.#supervisor.config.shutdown.reloadGrace);
    this.#exit('handed over');
  }

  /** Begins to stop; a second time changes nothing. */
  stop(): StopTimes {
    if (this.#toldAt === undefined) {
      this.#toldAt = performance.now();
      void this.#stop();
    }
    const { delay, grace } = this.#supervisor.config.shutdown;
    return { delay: this.#isServing ? delay : 0, grace };
  }

  drain(isDrained: boolean): void {
    this.#log.info({}, isDrained ? 'drained: not ready, but serving' : 'ready again');
    this.#supervisor.isDrained = isDrained;
  }

  #stopOrKill(): void {
    if (this.#toldAt === undefined) this.stop();
    else if (performance.now() - this.#toldAt > SAME_SIGNAL) {
      this.#log.warn({}, 'told twice to stop: ending at once');
      this.#hurry.abort();
      this.#supervisor.kill();
    }
  }

  async #stop(): Promise<void> {
    const { delay, grace } = this.#supervisor.config.shutdown;
    this.#supervisor.leave();
    this.#manager.stopping('finishes answers');
    if (delay > 0 && this.#isServing) {
      this.#log.info({ delay }, 'told to stop: players are served on, until nobody is sent here any more');
      await sleep(delay, undefined, { signal: this.#hurry.signal }).catch(() => {});
    }
    this.#log.info({ grace }, 'stopping: running answers are finished');
    await this.#supervisor.stop(grace);
    await this.#admin.close();
    this.#exit('stopped');
  }

  /** The edge can't go on: what runs is finished, and whoever looks after this process starts it again. */
  async #fail(error: EdgeError): Promise<void> {
    if (this.#toldAt !== undefined) return;
    this.#toldAt = performance.now();
    this.#log.error({ error: error.message }, 'the edge can not go on and ends, to be started again');
    this.#manager.stopping(error.message);
    await this.#supervisor.stop(this.#supervisor.config.shutdown.grace);
    await this.#admin.close();
    this.#exit('ended', EXIT.tryAgain);
  }

  /** SIGHUP means reload, except when the terminal that the edge was started from has been closed. */
  #hangUp(): void {
    if (this.#hasTerminal && !isatty(2)) this.#stopOrKill();
    else void this.reload();
  }

  /** Reads the configuration again. Whatever is wrong with it, or goes wrong with it, leaves the edge as it was. */
  reload(): Promise<ReloadResult> {
    const result = this.#reloads.then(async () => {
      if (this.#toldAt !== undefined) return { mistakes: ['the edge is stopping'] };
      this.#manager.reloading();
      const reloaded = await this.#reload();
      if (this.#isServing)
        this.#manager.ready(reloaded.mistakes.length === 0 ? 'reloaded' : 'not reloaded: see the log');
      return reloaded;
    });
    this.#reloads = result;
    return result;
  }

  async #reload(): Promise<ReloadResult> {
    this.#supervisor.reopenLogs();
    const before = this.#supervisor.config;
    try {
      const { config, isSample } = this.#readAgain();
      await this.#admin.apply(config.admin);
      await this.#supervisor.reload(config);
      this.#isSample = isSample;
      this.#log.setLevel(config.log.level);
      this.#supervisor.reloaded();
      this.#log.info({}, 'reloaded');
      return { mistakes: [] };
    } catch (error) {
      const mistakes = this.#tellNotReloaded(error);
      this.#supervisor.reloaded(mistakes.join('\n'));
      await this.#admin.apply(before.admin).catch(error => this.#log.error({ error }, 'the admin port is gone'));
      return { mistakes };
    }
  }

  /** @throws EdgeError `system`, `overloaded` */
  async upgrade(): Promise<number> {
    if (this.#toldAt !== undefined || !this.#isServing || this.#successor !== undefined) {
      throw new EdgeError('overloaded', 'the edge is starting, stopping or being upgraded');
    }
    this.#log.info({}, 'starting the installed version, to take over');
    this.#successor = new Successor(this.#manager.environment);
    try {
      return await this.#successor.serving;
    } finally {
      this.#successor = undefined;
    }
  }

  snapshot(): Promise<SnapshotResult> {
    return this.#running.snapshot();
  }

  /**
   * @throws ConfigError when it is wrong, or names no origin any more: players must not get the sample clips instead
   */
  #readAgain(): { config: Config; isSample: boolean } {
    const { sources } = this.#options;
    const config = loadConfig(sources);
    if (config.origins.length > 0) return { config, isSample: false };
    if (this.#isSample) return { config: withSamples(sources, config, this.#options.samples), isSample: true };
    throw new ConfigError([`${sources.file}: origins: expected at least one origin, found nothing`]);
  }

  #tellNotReloaded(error: unknown): readonly string[] {
    if (!(error instanceof EdgeError)) {
      this.#log.error({ error }, 'a defect: the configuration was not reloaded: nothing changes');
      return ['a defect: see the log'];
    }
    const mistakes = error.message.split('\n');
    for (const mistake of mistakes) this.#log.error({ mistake }, 'the configuration was not reloaded: nothing changes');
    return mistakes;
  }

  #crash(error: unknown): void {
    this.#log.error({ error }, 'a defect: the supervisor ends, and its workers drain');
    this.#exit('crashed', EXIT.defect);
  }

  #exit(text: string, code: ExitCode = EXIT.ok): never {
    this.#log.info({}, text);
    this.#log.flush();
    process.exit(code);
  }
}

/** The supervisor of the edge that listens where this one is to. */
function olderEdge(config: Config): Listener | undefined {
  const { host, port } = mainListener(config);
  return edgeAt(host, port);
}
