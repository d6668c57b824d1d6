import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Edge } from '../support/edge.js';
import { type Fault, type FaultOrigin, faults } from '../support/fault-origin.js';
import { isAlive, kill } from '../support/processes.js';
import { flipMemory, flipStore, type Part } from './damage.js';
import type { EdgeLog } from './edge-log.js';
import type { Library } from './library.js';
import type { Random } from './random.js';
import type { Tally } from './tally.js';

/** What faults are done to. */
export interface Scene {
  readonly edge: Edge;
  readonly log: EdgeLog;
  readonly origin: FaultOrigin;
  readonly library: Library;
  readonly random: Random;
  readonly tally: Tally;
  /** Folder of the disk tier. */
  readonly diskFolder: string;
  /** A filesystem of its own that may be filled; undefined when none could be mounted. */
  readonly diskMount: string | undefined;
}

/** A way in which the world does harm. */
export interface FaultKind {
  readonly name: string;
  readonly weight: number;
  /**
   * Does it; resolves when it is over: with the time (of `performance.now`) from which the edge has to recover when
   * that is not the end, and with 'skipped' when nothing could be done.
   */
  inject(scene: Scene): Promise<unknown>;
}

/** Milliseconds that a reload may take. */
const RELOAD = 30_000;
const MIB = 2 ** 20;

const LIES: readonly ((random: Random) => Fault)[] = [
  random => faults.shifted(random.pick([-4096, 1, 256 * 1024])),
  random => faults.short(random.integer(1, 100_000)),
  random => faults.long(random.integer(1, 100_000)),
  random => faults.unterminated(random.integer(0, 100_000)),
  () => faults.chunked(),
  () => faults.untilClose(),
  () => faults.ignoreRange(),
  () => faults.ignoreConditions(),
  () => faults.gzip(),
  () => faults.multipart(),
  () => faults.hugeHeader(100_000),
  () => faults.rawHead('HTTP/1.1 banana\r\n\r\n'),
  random => faults.status(random.pick([500, 502, 503, 429])),
  random => faults.drip(random.integer(1000, 20_000), 20),
];

/** Every kind of fault; `weight` says how often it comes. */
export const FAULT_KINDS: readonly FaultKind[] = [
  kind('kill worker', 10, async ({ edge, log, random }) => {
    const { workers } = edge;
    if (workers.length > 0) await end(log, [random.pick(workers)]);
  }),
  kind('kill supervisor', 2, async ({ edge, log }) => {
    const now = performance.now();
    await end(log, edge.pids.slice(0, 1));
    await edge.restart();
    return now;
  }),
  kind('kill all', 2, async ({ edge, log, random }) => {
    const now = performance.now();
    log.expectDeaths(edge.pids);
    await edge.killAll();
    if (random.chance(0.3)) flipMemory(edge.memoryFile, 'header', 1, random);
    await edge.restart();
    return now;
  }),
  kind('restart', 1, async ({ edge }) => {
    const now = performance.now();
    await edge.stop();
    await edge.restart();
    return now;
  }),
  kind('kill disk writer', 3, async ({ edge, log }) => {
    await end(
      log,
      edge.pids.filter(pid => commandLine(pid).includes('writer-main')),
    );
  }),
  kind('freeze worker', 4, async ({ edge, random }) => {
    if (edge.workers.length > 0) await freeze(random.pick(edge.workers), random.integer(100, 1500));
  }),
  kind('freeze supervisor', 2, async ({ edge, random }) => {
    for (const pid of edge.pids.slice(0, 1)) await freeze(pid, random.integer(100, 1500));
  }),
  kind('origin refuses', 6, async ({ origin, random }) => {
    await origin.refuse();
    await sleep(random.integer(100, 2000));
    await origin.accept();
  }),
  kind('origin resets', 10, async ({ origin, random }) => {
    const at = random.chance(0.2) ? random.pick(['head', 'within-head'] as const) : random.integer(0, MIB);
    lay(origin, random.chance(0.5) ? faults.reset(at) : faults.cut(at), random.integer(1, 12));
  }),
  kind('origin stalls', 4, async ({ origin, random }) => {
    const at = random.chance(0.3) ? 'head' : random.integer(0, MIB);
    lay(origin, faults.stall(at, random.integer(100, 4000)), random.integer(1, 4));
  }),
  kind('origin lies', 12, async ({ origin, random }) => {
    lay(origin, random.pick(LIES)(random), random.integer(1, 12));
  }),
  kind('file changes', 18, async ({ library, random }) => library.change(random.popular(library.titles))),
  kind('reload', 4, async ({ edge, log, random }) => {
    await reload(edge, log, configuration => `${configuration}\nhttp: {maxUrlLength: ${random.integer(4, 16)}KiB}\n`);
  }),
  kind('bad reload', 2, ({ edge, log }) => reload(edge, log, configuration => `${configuration}\nnonsense: true\n`)),
  kind('purge', 4, async ({ edge, library, random, tally }) => {
    const { path } = random.pick(library.titles);
    const body = random.chance(0.2) ? { all: true } : { urls: [`${edge.url}${path}`], soft: random.chance(0.3) };
    const { status } = await fetch(`${edge.admin}/purge`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (status !== 200) tally.violation(`a purge was answered with ${status}`);
  }),
  kind('disk full', 4, async ({ diskMount, random }) => {
    if (diskMount === undefined) return 'skipped';
    const file = join(diskMount, 'ballast');
    fill(file);
    await sleep(random.integer(300, 2500));
    unlinkSync(file);
    return undefined;
  }),
  kind('bits in blocks', 14, scene => flipPart(scene, 'data', 16)),
  kind('bits in slots', 5, scene => flipPart(scene, 'slots', 4)),
  kind('bits in index', 5, scene => flipPart(scene, 'index', 4)),
  kind('bits in stripes', 3, scene => flipPart(scene, 'stripes', 2)),
  kind('bits in processes', 2, scene => flipPart(scene, 'processes', 2)),
  kind('bits on disk', 8, async ({ diskFolder, random }) => {
    return flipStore(diskFolder, 'values', random.integer(1, 16), random) === 0 ? 'skipped' : undefined;
  }),
  kind('bits in disk trees', 1, async ({ diskFolder, log, random }) => {
    log.treesAreDamaged = true;
    return flipStore(diskFolder, 'trees', 1, random) === 0 ? 'skipped' : undefined;
  }),
];

/** Lets everything that still does harm go. */
export async function heal({ origin }: Scene): Promise<void> {
  origin.heal();
  await origin.accept();
}

function kind(name: string, weight: number, inject: FaultKind['inject']): FaultKind {
  return { name, weight, inject };
}

async function end(log: EdgeLog, pids: readonly number[]): Promise<void> {
  log.expectDeaths(pids);
  for (const pid of pids) kill(pid);
  while (pids.some(isAlive)) await sleep(5);
}

async function freeze(pid: number, milliseconds: number): Promise<void> {
  signal(pid, 'SIGSTOP');
  await sleep(milliseconds);
  signal(pid, 'SIGCONT');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {}
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

function lay(origin: FaultOrigin, fault: Fault, times: number): void {
  const laid = origin.fault(fault, { times });
  // One that finds no more requests is not to wait for the calm that follows.
  setTimeout(() => laid.remove(), 5000).unref();
}

async function reload(edge: Edge, log: EdgeLog, change: (configuration: string) => string): Promise<void> {
  const file = join(edge.folder, 'edge.yaml');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, change(before));
  try {
    const answer = log.next(text => text.includes('reloaded'), RELOAD);
    edge.signal('SIGHUP');
    await answer;
  } finally {
    writeFileSync(file, before);
  }
}

async function flipPart({ edge, random }: Scene, part: Part, most: number): Promise<'skipped' | undefined> {
  return flipMemory(edge.memoryFile, part, random.integer(1, most + 1), random) === 0 ? 'skipped' : undefined;
}

/** Writes until no byte more goes in. */
function fill(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let chunk = Buffer.alloc(MIB); chunk.length > 0; ) {
      try {
        writeSync(descriptor, chunk);
      } catch {
        chunk = chunk.subarray(0, chunk.length >> 1);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
