import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { aac, clip, h264, picture, tone } from '../support/clips.js';
import { Edge } from '../support/edge.js';
import { FaultOrigin } from '../support/fault-origin.js';
import { isAlive } from '../support/processes.js';
import { mountSmallDisk } from '../support/small-disk.js';
import { Downloader } from './download.js';
import { EdgeLog } from './edge-log.js';
import { FAULT_KINDS, type FaultKind, heal, type Scene } from './fault-kinds.js';
import { leftBehind, markProcesses } from './left-behind.js';
import { Library } from './library.js';
import { Crowd } from './players.js';
import { Random } from './random.js';
import { count, Tally } from './tally.js';

/** How a run goes. */
export interface SoakOptions {
  /** Milliseconds in which faults are injected. */
  readonly duration: number;
  /** Decides every choice; what the machine's timing makes of them differs. */
  readonly seed: number;
  /** Players at once, each with a connection of its own. */
  readonly players: number;
  /** Requests per second of all players together, about. */
  readonly rate: number;
  readonly workers: number;
  /** Mean milliseconds between a recovery and the next fault. */
  readonly pause: number;
  /** Faults that are injected at least, however long that takes; none when left out. */
  readonly faults?: number;
  /** Seconds that the edge waits for a byte of the origin. */
  readonly originPatience: number;
  /** Milliseconds without faults at the beginning and at the end, in which every request has to succeed. */
  readonly calm: number;
  /** What decides which blocks stay, in both tiers. */
  readonly policy: 'lru' | 'demand';
  /** Kinds of faults by name; all when left out. */
  readonly kinds?: readonly string[];
  /** File to which the edge's log is appended. */
  readonly logFile?: string;
  /** Ends the faults early; what has been started is ended as ever. */
  readonly signal?: AbortSignal;
  /** Told how it goes. */
  readonly say: (text: string) => void;
}

/** Milliseconds that the edge may take to recover. */
const RECOVERY = 60_000;
/** After so many the run is of no use any more. */
const VIOLATIONS_MAX = 100;
/** A kind of fault that was skipped so often and never came about is broken. */
const SKIPPED_MAX = 5;
/** Seconds that answers under way are given at a stop and at a reload. */
const GRACE = 2;
const RELOAD_GRACE = 4;
const MIB = 2 ** 20;
/** What a block must be like to go to disk: nearly all do, so that the disk has something to do. */
const ADMISSION = { lru: 'admit: views, minHits: 1', demand: 'admit: demand' } as const;

/** Runs players against an edge that is harmed all the time; the tally says whether it bore it. */
export async function runSoak(options: SoakOptions): Promise<Tally> {
  const { seed, workers, policy, say } = options;
  const tally = new Tally();
  const mark = markProcesses();
  const disk = mountDisk(say);
  const origin = await FaultOrigin.start();
  const forget = setInterval(() => origin.forget(), 1000);
  try {
    const library = new Library(origin, { films: 12, filmSize: 16 * MIB, long: await longClip() });
    const patience = `${options.originPatience}s`;
    const edge = await Edge.start({
      origin: JSON.stringify([
        {
          name: 'main',
          url: origin.url,
          timeouts: { connect: patience, firstByte: patience, stall: patience },
          retries: 2,
        },
      ]),
      workers,
      settings: [
        'cache:',
        `  memory: {size: 64MiB, file: $FOLDER/cache, verify: always, policy: ${policy}}`,
        `  disk: {path: ${disk.folder}, size: 96MiB, ${ADMISSION[policy]}}`,
        `shutdown: {grace: ${GRACE}s, reloadGrace: ${RELOAD_GRACE}s}`,
      ].join('\n'),
    });
    const log = new EdgeLog(edge, tally, options.logFile);
    try {
      const scene: Scene = {
        edge,
        log,
        origin,
        library,
        random: new Random(seed),
        tally,
        diskFolder: disk.folder,
        diskMount: disk.mount,
      };
      await new Run(options, scene).go();
    } catch (error) {
      tally.violation(`the run could not go on: ${error instanceof Error ? error.stack : error}`);
    } finally {
      await origin.accept();
      await edge.end();
      log.close();
    }
  } finally {
    clearInterval(forget);
    await origin.close();
    for (const { pid, command } of leftBehind(mark)) {
      tally.leakedProcesses++;
      tally.violation(`process ${pid} was left behind: ${command}`);
      process.kill(pid, 'SIGKILL');
    }
    disk.remove();
  }
  return tally;
}

class Run {
  readonly #options: SoakOptions;
  readonly #scene: Scene;
  readonly #tally: Tally;
  readonly #downloader: Downloader;
  #nextWord = 0;
  /** Violations that have been told. */
  #told = 0;

  constructor(options: SoakOptions, scene: Scene) {
    this.#options = options;
    this.#scene = scene;
    this.#tally = scene.tally;
    this.#downloader = new Downloader(scene.edge.port, scene.library, scene.tally);
  }

  async go(): Promise<void> {
    const { edge, random } = this.#scene;
    const { calm, duration, workers } = this.#options;
    const crowd = new Crowd(this.#downloader, random.fork(), this.#options);
    try {
      await this.#becalmed(calm);
      await this.#harm(performance.now() + duration);
      await heal(this.#scene);
      // Until the answers of workers that were told to drain have been cut.
      await sleep(Math.max(GRACE, RELOAD_GRACE) * 1000 + 2000);
      await this.#purge();
      await this.#expectCurrent();
      await this.#becalmed(calm);
      const running = edge.workers.length;
      if (running !== workers) this.#tally.violation(`${running} workers run in the end, not ${workers}`);
    } finally {
      const left = crowd.stop();
      this.#downloader.stop();
      await left;
    }
    const code = await edge.stop();
    if (code !== 0) this.#tally.violation(`the edge ended with ${code} when it was told to stop`);
  }

  /** A time without faults: of the requests that begin in it none is cut or denied. */
  async #becalmed(milliseconds: number): Promise<void> {
    const calm = new Map<string | number, number>();
    this.#tally.calm = calm;
    await sleep(milliseconds);
    this.#tally.calm = undefined;
    if (calm.size === 0) return;
    const disturbed = [...calm].map(([how, times]) => `${how} ${times}`).join(', ');
    this.#tally.violation(`requests were disturbed while nothing was wrong: ${disturbed}`);
  }

  async #harm(end: number): Promise<void> {
    const { random } = this.#scene;
    const { kinds, pause, signal, faults = 0 } = this.#options;
    const chosen = FAULT_KINDS.filter(({ name }) => kinds === undefined || kinds.includes(name));
    // Each kind once, so that short runs leave none out, then by weight.
    const first = [...chosen].sort(() => random.next() - 0.5);
    const isWanted = () => performance.now() < end || this.#tally.faultCount < faults;
    while (isWanted() && this.#tally.violationCount < VIOLATIONS_MAX && !signal?.aborted) {
      await sleep(random.wait(pause));
      await this.#inject(first.pop() ?? random.weighted(chosen));
      this.#speak();
    }
    for (const [name, times] of this.#tally.skipped) {
      const isNever =
        times >= SKIPPED_MAX && !this.#tally.faults.has(name) && (name !== 'disk full' || this.#scene.diskMount);
      if (isNever) this.#tally.violation(`${name}: it was tried ${times} times and never found anything to harm`);
    }
  }

  async #inject(kind: FaultKind): Promise<void> {
    const { edge, log } = this.#scene;
    const since = await kind.inject(this.#scene);
    if (since === 'skipped') {
      count(this.#tally.skipped, kind.name);
      return;
    }
    count(this.#tally.faults, kind.name);
    await this.#recover(kind, typeof since === 'number' ? since : performance.now());
    const [supervisor] = edge.pids;
    if (supervisor !== undefined && isAlive(supervisor)) return;
    log.look();
    this.#tally.crashes++;
    this.#tally.violation(`the supervisor died by itself after: ${kind.name}`);
    await edge.restart();
  }

  /** Until a fresh request for bytes of a random place succeeds. */
  async #recover({ name }: FaultKind, since: number): Promise<void> {
    const { library, random } = this.#scene;
    while (performance.now() - since < RECOVERY) {
      const start = random.integer(0, 15 * MIB);
      const ask = { title: random.pick(library.films), query: '', range: { start, end: start + 4096 } };
      const { ending } = await this.#downloader.fetch(ask, false);
      if (ending === 'whole') {
        this.#tally.recoveries.push({ kind: name, took: performance.now() - since });
        return;
      }
      await sleep(20);
    }
    this.#tally.violation(`no recovery from: ${name}`);
  }

  /**
   * Files that have changed, although the origin had said that they would not: answers from what is cached of them are
   * cut where it ends, so the edge has to forget them before nobody may be cut.
   */
  async #purge(): Promise<void> {
    const { titles } = this.#scene.library;
    const urls = titles.filter(({ maxAge }) => maxAge > 1).map(({ path }) => `${this.#scene.edge.url}${path}`);
    const { status } = await fetch(`${this.#scene.edge.admin}/purge`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ urls }),
    });
    if (status !== 200) this.#tally.violation(`a purge was answered with ${status}`);
  }

  /** Once all is well, every film has to be served as it stands at the origin. */
  async #expectCurrent(): Promise<void> {
    for (const title of this.#scene.library.films) {
      const wanted = `"v${title.version}-${title.sizes[title.version]}"`;
      const ask = { title, query: '', range: { start: 0, end: 1000 } };
      const end = performance.now() + RECOVERY;
      let etag: string | undefined;
      while (etag !== wanted && performance.now() < end) {
        ({ etag } = await this.#downloader.fetch(ask, false));
        if (etag !== wanted) await sleep(100);
      }
      if (etag !== wanted) this.#tally.violation(`${title.path} is served as ${etag}, but is ${wanted} at the origin`);
    }
  }

  #speak(): void {
    for (; this.#told < this.#tally.violations.length; this.#told++)
      this.#options.say(this.#tally.violations[this.#told]!);
    if (performance.now() < this.#nextWord) return;
    this.#nextWord = performance.now() + 30_000;
    const { requests, bytesVerified, faultCount, wrongBytes, violationCount } = this.#tally;
    this.#options.say(
      `${requests} requests, ${(bytesVerified / 2 ** 30).toFixed(2)} GiB verified, ${faultCount} faults, ` +
        `${wrongBytes} wrong bytes, ${violationCount} violations`,
    );
  }
}

/** A clip of several blocks. */
function longClip(): Promise<string> {
  const options = [...picture(240, '25', '320x180'), ...tone(240), ...h264(50, '-b:v', '200k'), ...aac];
  return clip('soak.mp4', [...options, '-movflags', '+faststart']);
}

/** A folder for the disk tier on a small filesystem of its own, where that is permitted. */
function mountDisk(say: (text: string) => void) {
  const mount = mkdtempSync('/dev/shm/moovedge-soak-');
  const disk = mountSmallDisk(mount, 'size=160m');
  if (disk === undefined) say('no filesystem can be mounted, so none will be filled');
  const folder = join(mount, 'tier');
  mkdirSync(folder);
  const remove = () => {
    disk?.unmount();
    rmSync(mount, { recursive: true, force: true });
  };
  return { folder, mount: disk?.path, remove };
}
