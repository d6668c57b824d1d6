/**
 * A worker process with a real tier, store and origin, driven over IPC: `WorkerProcess.start(...)` in the test, this
 * file in the child.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.js';
import { SharedMemoryTier } from '../../src/cache/memory/shared-memory-tier.js';
import { LmdbCatalogStore } from '../../src/catalog/lmdb-catalog-store.js';
import { type Asked, CatalogBench } from './catalog-bench.js';
import { DEFAULTS } from './defaults.js';
import { httpOrigin } from './http-origin.js';

/** What a worker is made with. */
export interface WorkerSetUp {
  /** Files of tier and store. */
  readonly cacheFile: string;
  readonly folder: string;
  readonly originUrl: string;
}

/** Players that come at once. */
export interface Crowd {
  readonly path: string;
  readonly players: number;
  readonly asked?: Asked & { version?: string };
}

/** What became of them. */
export interface CrowdResult {
  /** Outcome of each player, or the code of its error. */
  readonly outcomes: readonly string[];
  readonly milliseconds: number;
}

/** The parent's side of a worker. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  #next = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.setMaxListeners(100);
  }

  static async start(setUp: WorkerSetUp): Promise<WorkerProcess> {
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(setUp)]);
    const worker = new WorkerProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', code => reject(new Error(`the worker ended with ${code}`)));
    });
    return worker;
  }

  /** Lets players watch; rejects when the process dies. */
  watch(crowd: Crowd): Promise<CrowdResult> {
    const id = this.#next++;
    this.#child.send({ id, crowd });
    return new Promise((resolve, reject) => {
      const heard = (message: { id: number; result: CrowdResult }) => {
        if (message.id !== id) return;
        this.#child.off('message', heard);
        this.#child.off('exit', died);
        resolve(message.result);
      };
      const died = () => reject(new Error('the worker died'));
      this.#child.on('message', heard);
      this.#child.once('exit', died);
    });
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const dead = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await dead;
  }
}

function serve({ cacheFile, folder, originUrl }: WorkerSetUp): void {
  const tier = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file: cacheFile, role: 'worker', followTimeout: 5000 });
  const store = new LmdbCatalogStore({ folder, capacity: 2 ** 26, owner: false, log: silentLog });
  const bench = new CatalogBench(httpOrigin([originUrl], { name: 'main' }), { tier, store, now: Date.now });
  const worker = bench.worker();
  process.on('message', async ({ id, crowd }: { id: number; crowd: Crowd }) => {
    const begun = performance.now();
    const outcomes = await Promise.all(
      Array.from({ length: crowd.players }, () =>
        worker.watch(crowd.path, crowd.asked).then(
          opened => opened.firstOutcome,
          error => String(error.code ?? error),
        ),
      ),
    );
    process.send!({ id, result: { outcomes, milliseconds: performance.now() - begun } });
  });
  process.on('disconnect', () => process.exit());
  process.send!('ready');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(JSON.parse(process.argv[2]!));
