import { setTimeout as sleep } from 'node:timers/promises';
import { EPOCH } from '../../../src/live/publish/timeline.js';
import { LiveEdge } from '../../support/live-edge.js';
import { until } from '../../support/until.js';
import { EdgeLog } from '../edge-log.js';
import { leftBehind, markProcesses } from '../left-behind.js';
import { Random } from '../random.js';
import { count, Tally } from '../tally.js';
import { LIVE_FAULTS } from './faults.js';
import { takenBy, type Usage, usageOf } from './resources.js';
import { Scene } from './scene.js';
import { GROUP, SoakStream, STEP } from './stream.js';
import type { Watcher } from './watcher.js';

/** How a soak of live streams goes. */
export interface LiveSoakOptions {
  /** Milliseconds in which more faults are injected when each kind was once. */
  readonly duration: number;
  readonly seed: number;
  readonly workers: number;
  /** Viewers by FLV and players by HLS who stay. */
  readonly watchers: number;
  readonly players: number;
  /** Bytes of a stream that is published as fast as it is taken. */
  readonly volume: number;
  /** Timestamps beyond which a stream's clock is driven. */
  readonly clocks: readonly number[];
  readonly kinds?: readonly string[];
  readonly logFile?: string;
  readonly signal?: AbortSignal;
  readonly say: (text: string) => void;
}

/** What came of it. */
export interface LiveSoakResult {
  readonly tally: Tally;
  readonly watched: Scene['seen'];
  /** Parts that players of HLS have got. */
  readonly parts: number;
  /** Bytes that publishers have sent. */
  readonly ingested: number;
  /** Bytes of memory by role, of one process, before the faults and after them; most bytes of a ring. */
  readonly memory: readonly string[];
}

const MIB = 2 ** 20;
const BUFFER_MAX = 16 * MIB;
/** What a ring may take beside its tags: index, headers, pieces that are allocated ahead. */
const RING_SLACK = 4 * MIB;
/** By how much a process may grow once it is warm: V8 collects when it likes to. */
const GROWTH = 48 * MIB;
/** Descriptors of a process that come late and stay: those of streams' rings that were opened meanwhile. */
const MORE_DESCRIPTORS = 8;
/** Milliseconds of a publisher's clock from frame to frame where it is driven: less than counts as a jump. */
const LEAP = 9000;
/** Milliseconds from frame to frame where viewers are there. */
const STEP_TIME = 10;
/** Milliseconds of its clock before a mark at which viewers come; about it, in which it is slower. */
const [BEFORE, NEAR] = [20_000, 3000];
/** Bytes of a picture of the large stream; pictures behind it in real time. */
const [LARGE, LAST] = [400_000, 50];

/** Drives streams of real publishers through an edge that is harmed, and looks at all that viewers get. */
export async function runLiveSoak(options: LiveSoakOptions): Promise<LiveSoakResult> {
  const { seed, workers, logFile } = options;
  const tally = new Tally();
  const mark = markProcesses();
  const settings = `grace: 60s, bufferMax: ${BUFFER_MAX / MIB}MiB, slow: {limit: 5s, disconnect: 30s}`;
  const live = await LiveEdge.start(settings, { workers, memory: '64MiB' });
  const log = new EdgeLog(live.edge, tally, logFile);
  const random = new Random(seed);
  const stream = new SoakStream(live.rtmpPort, 'soak/main');
  const run = new Run(options, new Scene(live, log, random, tally, stream));
  try {
    await run.go();
  } catch (error) {
    tally.violation(`the run could not go on: ${error instanceof Error ? error.stack : error}`);
  } finally {
    stream.end();
    await live.edge.end();
    log.close();
  }
  for (const { pid, command } of leftBehind(mark)) {
    tally.leakedProcesses++;
    tally.violation(`process ${pid} was left behind: ${command}`);
    process.kill(pid, 'SIGKILL');
  }
  return run.result;
}

class Run {
  readonly #options: LiveSoakOptions;
  readonly #scene: Scene;
  #parts = 0;
  #ingested = 0;
  #largestRing = 0;
  readonly #memory: string[] = [];

  constructor(options: LiveSoakOptions, scene: Scene) {
    this.#options = options;
    this.#scene = scene;
  }

  get result(): LiveSoakResult {
    const { tally, seen } = this.#scene;
    const memory = [...this.#memory, `largest ring ${(this.#largestRing / MIB).toFixed(0)} MiB`];
    return { tally, watched: seen, parts: this.#parts, ingested: this.#ingested, memory };
  }

  async go(): Promise<void> {
    const { live, stream } = this.#scene;
    const { watchers, players, say } = this.#options;
    const rings = setInterval(() => this.#measureRings(), 500);
    try {
      await stream.connect(0);
      stream.pace();
      await until(
        'the stream',
        async () => (await fetch(`${live.edge.url}/live/${stream.name}.flv`, { method: 'HEAD' })).ok,
      );
      await this.#scene.gather(watchers, players);
      await this.#drive();
      await this.#flood();
      this.#scene.replace(false);
      await this.#idle();
      const before = usageOf(live.edge.pid);
      await this.#scene.gather(watchers, players);
      say('all viewers are there');
      await this.#harm();
      await this.#idle();
      this.#compare(before, usageOf(live.edge.pid));
    } finally {
      clearInterval(rings);
      await this.#idle();
    }
    stream.end();
    const left = live.rings;
    const code = await live.edge.stop();
    if (code !== 0) this.#scene.violation(`the edge ended with ${code} when it was told to stop`);
    if (live.rings.length > 0) this.#scene.violation(`${live.rings.length} of ${left.length} rings were left behind`);
  }

  /** Everybody leaves. */
  async #idle(): Promise<void> {
    this.#parts += this.#scene.players.reduce((sum, { parts }) => sum + parts, 0);
    await this.#scene.leave();
  }

  /** A stream's clock passes what needs more bits, or where it begins anew, faster than time. */
  async #drive(): Promise<void> {
    const stream = await this.#publish('soak/clock', 10);
    let time = 0;
    for (const clock of this.#options.clocks) {
      while (time < clock - BEFORE) {
        const leap = Math.min(LEAP, clock - BEFORE - time);
        time += leap;
        stream.frame(leap, 10);
        await stream.taken();
      }
      time = await this.#pass(stream, clock, time);
    }
    this.#ingested += await this.#bytesOf(stream.name);
    stream.end();
  }

  /** Viewers are there while a stream's clock passes a mark. @returns the time that it is then */
  async #pass(stream: SoakStream, clock: number, before: number): Promise<number> {
    const { violation } = this.#scene;
    let time = before;
    const step = async (milliseconds: number) => {
      time += milliseconds;
      stream.frame(milliseconds, 10);
      await sleep(STEP_TIME);
    };
    // Nobody could follow what is still on its way.
    await until('all that was sent', async () => (await this.#bytesOf(stream.name)) >= stream.bytes);
    const watcher = this.#scene.watch(stream.name);
    const player = this.#scene.play(stream.name);
    while (time < clock - NEAR && (watcher.picture < 0 || player.picture < 0)) await step(STEP_TIME);
    const first = time;
    while (time < clock - NEAR) await step(100);
    while (time < clock + NEAR) await step(STEP);
    const last = stream.pictures - 1;
    await until(
      () => `picture ${last} of a clock at ${clock}; viewers have ${watcher.picture} and ${player.picture}`,
      () => watcher.isOver || (watcher.picture >= last && player.picture >= last - GROUP),
    );
    const seen = `${watcher.pictures} pictures, the last one at ${watcher.time} ms, and ${player.parts} parts`;
    this.#options.say(`a stream's clock went from ${first} to ${time} ms: ${seen}`);
    if (watcher.isOver || watcher.gaps > 0) violation(`a clock at ${clock} ms has ended a viewer, or cost it pictures`);
    if (player.lost > 0 || player.missed > 0) violation(`a clock at ${clock} ms has cost a player of HLS parts`);
    const isAnew = clock >= EPOCH;
    if (watcher.epochs > 0 !== isAnew) violation(`a clock at ${clock} ms has begun anew ${watcher.epochs} times`);
    if (!isAnew && watcher.time !== time) violation(`a clock of ${time} ms is at ${watcher.time}`);
    this.#scene.dismiss(watcher);
    await player.leave();
    this.#parts += player.parts;
    return watcher.time;
  }

  /** A stream of its own, which is there for those who watch. @param size of its first picture */
  async #publish(name: string, size: number): Promise<SoakStream> {
    const { live } = this.#scene;
    const stream = new SoakStream(live.rtmpPort, name);
    await stream.connect(0);
    stream.frame(STEP, size);
    const url = `${live.edge.url}/live/${name}.flv`;
    await until('the stream', async () => (await fetch(url, { method: 'HEAD' })).ok);
    return stream;
  }

  /** A stream is published as fast as it is taken, to viewers who can't take it all. */
  async #flood(): Promise<void> {
    const { violation } = this.#scene;
    const { volume, signal, say } = this.#options;
    const stream = await this.#publish('soak/large', LARGE);
    const watchers = [this.#scene.watch(stream.name), this.#scene.watch(stream.name)];
    let overrun = 0;
    const player = setInterval(() => {
      watchers[1]![Math.random() < 0.5 ? 'pause' : 'resume']();
      overrun += this.#readmit(watchers, stream.name);
    }, 200);
    for (let sent = 0; sent < volume && signal?.aborted !== true; sent += LARGE) {
      stream.frame(STEP, LARGE);
      await stream.taken();
    }
    clearInterval(player);
    watchers[1]!.resume();
    // In real time from here on: nobody is overrun any more.
    for (let at = 0; at < LAST; at++) {
      stream.frame(STEP, 1000);
      await sleep(STEP);
      if (at === LAST / 2) overrun += this.#readmit(watchers, stream.name);
    }
    const last = stream.pictures - 1;
    await until('the last picture', () => watchers.every(({ picture, isOver }) => picture >= last || isOver));
    const bytes = await this.#bytesOf(stream.name);
    this.#ingested += bytes;
    say(
      `${(bytes / MIB).toFixed(0)} MiB in ${stream.pictures} pictures were taken; two viewers lost groups, and were ` +
        `overrun ${overrun} times`,
    );
    if (bytes < volume) violation(`${bytes} bytes of ${volume} were taken`);
    if (watchers.some(({ isOver }) => isOver)) violation('a viewer of the large stream was ended');
    const told = await this.#disconnects('overrun');
    if (told < overrun) violation(`${overrun} viewers were ended, of whom ${told} are said to have been overrun`);
    for (const watcher of watchers) this.#scene.dismiss(watcher);
    stream.end();
  }

  /**
   * Lets others come in the place of viewers that were ended. A ring of a few megabytes lasts for a moment here, and
   * who is within a tag that is gone can't be sent the rest of it.
   * @returns how many
   */
  #readmit(watchers: Watcher[], name: string): number {
    let over = 0;
    for (const [at, watcher] of watchers.entries()) {
      if (!watcher.isOver) continue;
      over++;
      this.#scene.dismiss(watcher);
      watchers[at] = this.#scene.watch(name);
    }
    return over;
  }

  async #disconnects(reason: string): Promise<number> {
    const text = await (await fetch(`${this.#scene.live.edge.admin}/metrics`)).text();
    const pattern = new RegExp(`^moovedge_live_disconnects_total\\{.*reason="${reason}".*\\} (\\d+)$`, 'gm');
    return [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async #bytesOf(name: string): Promise<number> {
    return (await this.#scene.live.streams()).find(stream => stream.name === name)?.bytes ?? 0;
  }

  async #harm(): Promise<void> {
    const { random, tally, stream } = this.#scene;
    const { duration, kinds, signal, say } = this.#options;
    const chosen = LIVE_FAULTS.filter(({ name }) => kinds === undefined || kinds.includes(name));
    const first = [...chosen].sort(() => random.next() - 0.5);
    const end = performance.now() + duration;
    while ((first.length > 0 || performance.now() < end) && signal?.aborted !== true) {
      const fault = first.pop() ?? random.pick(chosen);
      this.#scene.replace(false);
      await fault.inject(this.#scene);
      count(tally.faults, fault.name);
      // From here on all is well again, once whoever has been ended has come back.
      const since = performance.now();
      const from = stream.pictures;
      const fresh = this.#scene.watch();
      await until(`recovery from: ${fault.name}`, () => fresh.picture >= from || fresh.isOver);
      if (fresh.isOver) this.#scene.violation(`who comes after this is turned away: ${fault.name}`);
      this.#scene.dismiss(fresh);
      tally.recoveries.push({ kind: fault.name, took: performance.now() - since });
      this.#scene.replace(fault.endsViewers === true);
      await this.#scene.settled();
      say(fault.name);
    }
    this.#ingested += await this.#bytesOf(stream.name);
  }

  /** Memory is flat, and no descriptor is left open. */
  #compare(before: readonly Usage[], after: readonly Usage[]): void {
    for (const role of ['supervisor', 'worker', 'ingest'] as const) {
      const own = (usages: readonly Usage[]) => usages.filter(usage => usage.role === role);
      const most = (usages: readonly Usage[], of: 'anonymous' | 'descriptors') =>
        Math.max(...own(usages).map(usage => usage[of]));
      const [least, now] = [most(before, 'anonymous'), most(after, 'anonymous')];
      this.#memory.push(`${role} ${(least / MIB).toFixed(0)} to ${(now / MIB).toFixed(0)} MiB`);
      if (now > least + GROWTH) this.#scene.violation(`a ${role} has grown from ${least} to ${now} bytes`);
      const [few, many] = [most(before, 'descriptors'), most(after, 'descriptors')];
      if (many > few + MORE_DESCRIPTORS)
        this.#scene.violation(`a ${role} had ${few} descriptors open, and has ${many}`);
    }
  }

  #measureRings(): void {
    for (const ring of this.#scene.live.rings) {
      const bytes = takenBy(ring);
      this.#largestRing = Math.max(this.#largestRing, bytes);
      if (bytes > BUFFER_MAX + RING_SLACK) this.#scene.violation(`a ring takes ${bytes} bytes`);
    }
  }
}

/** The result as a person reads it. */
export function liveReport({ tally, watched, parts, ingested, memory }: LiveSoakResult): string {
  const list = (counts: Iterable<readonly [string, number]>) =>
    [...counts].map(([name, times]) => `${name} ${times}`).join(', ') || 'none';
  const longest = Math.max(0, ...tally.recoveries.map(({ took }) => took));
  return [
    `ingested           ${(ingested / 2 ** 30).toFixed(2)} GiB`,
    `viewers            ${watched.watchers}: ${watched.pictures} pictures, ${watched.gaps} gaps, ${(watched.bytes / 2 ** 30).toFixed(2)} GiB`,
    `parts of HLS       ${parts}`,
    `faults injected    ${tally.faultCount} (${list(tally.faults)})`,
    `longest recovery   ${longest.toFixed(0)} ms`,
    `memory             ${memory.join(', ')}`,
    `crashes            ${tally.crashes}`,
    `leaked processes   ${tally.leakedProcesses}`,
    `edge's complaints  ${list(tally.complaints)}`,
    `violations         ${tally.violationCount}`,
    ...tally.violations.map(text => `  ${text}`),
  ].join('\n');
}
