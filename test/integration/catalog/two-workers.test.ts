import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { silentLog } from '../../../src/base/log.js';
import { SharedMemoryTier } from '../../../src/cache/memory/shared-memory-tier.js';
import { LmdbCatalogStore } from '../../../src/catalog/lmdb-catalog-store.js';
import { Purger } from '../../../src/catalog/purge.js';
import { type CrowdResult, WorkerProcess } from '../../support/catalog-worker.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FaultOrigin, faults } from '../../support/fault-origin.js';

const FILM = '/film.mp4';
const SIZE = 40 * BLOCK_SIZE - 999;
const root = mkdtempSync(join(tmpdir(), 'moovedge-workers-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** A machine: the supervisor's part in this process, workers in theirs. */
class Machine {
  readonly workers: WorkerProcess[] = [];
  readonly #folder = mkdtempSync(join(root, 'edge-'));
  readonly #cacheFile = join(this.#folder, 'memory.cache');
  readonly #tier: SharedMemoryTier;
  readonly #store: LmdbCatalogStore;
  readonly purger: Purger;

  constructor(readonly origin: FaultOrigin) {
    const size = 64 * 1024 * 1024;
    this.#tier = new SharedMemoryTier({
      ...DEFAULTS.memoryTier,
      file: this.#cacheFile,
      role: 'supervisor',
      size,
      reserve: false,
    });
    this.#store = new LmdbCatalogStore({ folder: this.#folder, capacity: 2 ** 26, owner: true, log: silentLog });
    this.purger = new Purger(this.#store, this.#tier);
  }

  async grow(count = 2): Promise<WorkerProcess[]> {
    const setUp = { cacheFile: this.#cacheFile, folder: this.#folder, originUrl: this.origin.url };
    const grown = await Promise.all(Array.from({ length: count }, () => WorkerProcess.start(setUp)));
    this.workers.push(...grown);
    return grown;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.workers.splice(0).map(worker => worker.kill()));
  }

  async close(): Promise<void> {
    await this.killAll();
    await this.#store.close();
    this.#tier.close();
    await this.origin.close();
  }
}

let machine: Machine;
afterEach(() => machine.close());

async function setUp(): Promise<readonly [WorkerProcess, WorkerProcess]> {
  const origin = await FaultOrigin.start();
  origin.put(FILM, { size: SIZE, headers: { 'Cache-Control': 'max-age=600' } });
  machine = new Machine(origin);
  const [one, two] = await machine.grow();
  return [one!, two!];
}

function expectNoErrors(...results: CrowdResult[]): void {
  const known = new Set(['miss', 'collapsed', 'memory', 'revalidated']);
  for (const { outcomes } of results)
    assert.deepEqual(
      outcomes.filter(outcome => !known.has(outcome)),
      [],
    );
}

describe('two workers', () => {
  it('500 players of a cold film: the origin sends each block once', async t => {
    const workers = await setUp();
    const crowd = { path: FILM, players: 250 };
    const results = await Promise.all(workers.map(worker => worker.watch(crowd)));
    expectNoErrors(...results);
    const times = machine.origin.timesSent(FILM);
    const ratio = machine.origin.bytesSent(FILM) / SIZE;
    t.diagnostic(
      `origin bytes ${ratio.toFixed(4)}, requests ${machine.origin.requests.length}, blocks ${times.join('')}`,
    );
    t.diagnostic(results.map(result => `${Math.round(result.milliseconds)} ms`).join(', '));
    assert.equal(ratio, 1);
    assert.ok(machine.origin.requests.length < 20);
  });

  it('players all over the film: what is in flight when two fetches meet is all that comes twice', async t => {
    const workers = await setUp();
    const all = [];
    for (let i = 0; i < 24; i++) {
      const start = (i * 7919 * 1013) % SIZE;
      all.push(workers[i % 2]!.watch({ path: FILM, players: 3, asked: { start } }));
    }
    expectNoErrors(...(await Promise.all(all)));
    const ratio = machine.origin.bytesSent(FILM) / SIZE;
    t.diagnostic(`origin bytes ${ratio.toFixed(3)}, requests ${machine.origin.requests.length}`);
    assert.ok(ratio < 3, `${ratio}`);
  });

  it('the fill of a worker that is killed is taken over by the other, where it was', async () => {
    const [one, two] = await setUp();
    const pause = machine.origin.fault(faults.stall(BLOCK_SIZE + 100_000), { times: 1 });
    const asked = { start: 0, end: 10 * BLOCK_SIZE };
    const first = one.watch({ path: FILM, players: 1, asked }).catch(error => error);
    await machine.origin.requested(1);
    // Another process can read the first block only when it has been filled.
    expectNoErrors(await two.watch({ path: FILM, players: 1, asked: { end: BLOCK_SIZE } }));
    const second = two.watch({ path: FILM, players: 5, asked });
    await one.kill();
    assert.ok((await first) instanceof Error);
    pause.remove();
    machine.origin.release();
    expectNoErrors(await second);
    const ranges = machine.origin.requests.map(request => request.range?.start ?? 0);
    assert.ok(ranges.length >= 2 && ranges[1]! >= BLOCK_SIZE && ranges[1]! <= BLOCK_SIZE + 100_000, ranges.join());
  });

  it('restarted without its origin, serves everything that it holds', async () => {
    const workers = await setUp();
    expectNoErrors(await workers[0].watch({ path: FILM, players: 1 }));
    await machine.killAll();
    await machine.origin.refuse();
    const [again] = await machine.grow(1);
    const { outcomes } = await again!.watch({ path: FILM, players: 3 });
    assert.deepEqual(outcomes, ['memory', 'memory', 'memory']);
  });

  it('a purge has effect in both when it returns', async () => {
    const workers = await setUp();
    for (const worker of workers) expectNoErrors(await worker.watch({ path: FILM, players: 1 }));
    const before = machine.origin.requests.length;
    machine.origin.put(FILM, { size: SIZE, version: 'v2', etag: `"v1-${SIZE}"`, lastModified: null });
    machine.purger.urls([`main${FILM}`], false);
    const asked = { version: 'v2' };
    const results = await Promise.all(workers.map(worker => worker.watch({ path: FILM, players: 2, asked })));
    expectNoErrors(...results);
    assert.ok(machine.origin.requests.length > before);
  });
});
