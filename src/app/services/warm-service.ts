import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import { ownAddress } from './player-address.js';
import { nextRun, shownList, type WarmRun, type WarmSettings, warmUp } from './warm-list.js';

/** Milliseconds between looks at the clock. */
const INTERVAL = 1000;

/** A list and when it is due. */
interface Scheduled {
  readonly settings: WarmSettings;
  /** Milliseconds since 1970. */
  next: number;
  running: boolean;
  last: WarmRun | undefined;
}

/** Fetches lists of films before anybody asks for them, when they are due. */
export class WarmService implements Service<Config> {
  readonly name = 'warm';
  readonly #log: Log;
  readonly #alive: () => boolean;
  readonly #fetched = { ok: 0, failed: 0 };
  #config: Config;
  #lists: readonly Scheduled[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Ends runs of lists that are another's by now. */
  #runs = new AbortController();

  constructor({
    config,
    log,
    alive,
    metrics,
  }: Pick<ServiceContext<Config, EdgeEvents>, 'config' | 'log' | 'alive' | 'metrics'>) {
    this.#config = config;
    this.#log = log;
    this.#alive = alive;
    metrics.counter('moovedge_warm_urls_total', () =>
      this.#lists.length === 0 ? [] : Object.entries(this.#fetched).map(([result, count]) => [{ result }, count]),
    );
    metrics.gauge('moovedge_warm_last_run_timestamp_seconds', () =>
      this.#lists.flatMap(({ settings, last }) =>
        last === undefined ? [] : [[{ list: shownList(settings) }, last.time / 1000] as const],
      ),
    );
  }

  start(): void {
    this.#schedule(Date.now(), true);
  }

  reconfigure(config: Config): void {
    const before = this.#config;
    this.#config = config;
    if (!isDeepStrictEqual(before.warm, config.warm)) this.#schedule(Date.now(), false);
  }

  /** Nobody is to be sent here any more. */
  leave(): void {
    this.stop();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#runs.abort();
  }

  stats(): object | undefined {
    if (this.#lists.length === 0) return undefined;
    return this.#lists.map(({ settings, ...state }) => ({ list: shownList(settings), ...state }));
  }

  #schedule(now: number, isStart: boolean): void {
    this.stop();
    this.#runs = new AbortController();
    this.#lists = this.#config.warm.map(settings => ({
      settings,
      next: isStart && settings.atStart ? now : nextRun(settings, now),
      running: false,
      last: undefined,
    }));
    if (this.#lists.length > 0) this.#timer = setInterval(() => this.#look(Date.now()), INTERVAL).unref();
  }

  #look(now: number): void {
    for (const each of this.#lists) {
      // What is due while it runs, or while nobody serves, is made up for afterwards.
      if (now >= each.next && !each.running && this.#alive()) void this.#run(each, now);
    }
  }

  async #run(each: Scheduled, now: number): Promise<void> {
    each.running = true;
    each.next = nextRun(each.settings, now);
    each.last = await warmUp(each.settings, ownAddress(this.#config), this.#log, this.#runs.signal);
    each.running = false;
    this.#fetched.ok += each.last.urls;
    this.#fetched.failed += each.last.failed;
  }
}
