import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ObjectId } from '../../base/block.js';
import { type ExitStatus, isMemoryFault } from '../../base/exit-status.js';
import type { Log } from '../../base/log.js';
import type { AdmissionOptions, AdmissionStats } from '../../cache/disk/disk-admission.js';
import { diskStoreOptions } from '../../cache/disk/disk-store.js';
import type { DiskWriterStats } from '../../cache/disk/disk-writer.js';
import type { MemoryPolicy } from '../../cache/memory/shared-memory-tier.js';
import { examine } from '../../store/examination.js';
import { Backoff } from '../../supervisor/backoff.js';
import { ChildProcess, FIRST_INHERITED } from '../../supervisor/child-process.js';
import type { LogReport } from '../../supervisor/parent.js';

/** What the writer's process is told at its start. Sizes in bytes. */
export interface WriterTask {
  folder: string;
  capacity: number;
  /** Which blocks leave memory first. */
  policy: MemoryPolicy;
  admit: AdmissionOptions['admit'];
  minHits: number;
  writeBudget: number | undefined;
  /** The memory tier's file, and the descriptor of it that the process inherits. */
  memoryFile: string;
  memoryDescriptor: number | undefined;
  freeShare: number;
}

/** What the writer's process is told later. */
export type WriterOrder = { kind: 'remove'; id: readonly number[]; block: number } | { kind: 'check-readers' };

/** Figures of the writer, and of what it asks of blocks. */
export type DiskWriterFigures = DiskWriterStats & Partial<AdmissionStats>;

/** What the writer's process says. */
export type WriterReport =
  /** It has tried to open the tier, and will go on trying if it could not. */
  | { kind: 'ready' }
  | { kind: 'stats'; stats: DiskWriterFigures }
  /** LMDB has found the environment damaged: the process ends, and the environment is to be examined. */
  | { kind: 'damaged' }
  | LogReport;

/** What the writer of the disk tier is started with. */
export interface DiskWriterProcessOptions {
  /** Folder of the tier; made when it is missing. */
  folder: string;
  /** Most bytes on disk. */
  capacity: number;
  /** Which blocks leave memory first. */
  policy: MemoryPolicy;
  /** Which blocks that leave memory go to disk: see `AdmissionOptions`. */
  admit: AdmissionOptions['admit'];
  minHits: number;
  writeBudget?: number | undefined;
  /** The memory tier's file, which must be there. */
  memoryFile: string;
  /** An open descriptor of that file, which is used instead of its name. */
  memoryDescriptor?: number;
  /** Part of memory that is kept free, 0 to 0.5. */
  freeShare: number;
  log: Log;
  /**
   * Milliseconds before a writer that died is started again, doubled with each death up to a minute; default
   * `RESTART_DELAY`.
   */
  restartDelay?: number;
}

/** Milliseconds. */
const RESTART_DELAY = 1000;
const MAX_RESTART_DELAY = 60_000;
/** A writer that has lived for so many milliseconds is taken to be well. */
const WELL_AFTER = 60_000;
/** Milliseconds for reading all values of a tier that may be damaged; what takes longer is taken to be sound. */
const VALUES_TIME = 60_000;
/** Milliseconds in which a writer that was told to stop has to be gone. */
const STOP_TIMEOUT = 10_000;

/**
 * The supervisor's handle on the process that writes the disk tier. The writer has a process of its own because commits
 * wait for the disk, and because LMDB trusts what it maps: a damaged file ends the process that touches it, and that
 * must be neither a worker for good nor the supervisor ever.
 */
export class DiskWriterProcess {
  readonly #options: DiskWriterProcessOptions;
  #child: ChildProcess<WriterOrder, WriterReport> | undefined;
  readonly #backoff: Backoff;
  #stopping = false;
  /** The last examination; one at a time. */
  #examination: Promise<void> = Promise.resolve();
  /** What the writer last said of itself. */
  stats: DiskWriterFigures;

  constructor(options: DiskWriterProcessOptions) {
    this.#options = options;
    const { restartDelay = RESTART_DELAY } = options;
    this.#backoff = new Backoff({
      early: WELL_AFTER,
      first: restartDelay,
      longest: MAX_RESTART_DELAY,
      least: restartDelay,
    });
    this.stats = {
      blocks: 0,
      capacityBytes: options.capacity,
      fileBytes: 0,
      written: 0,
      renewed: 0,
      expired: 0,
      dropped: 0,
      failedCommits: 0,
    };
  }

  /** The writer's process id, or undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Looks whether the tier is sound, moves it aside when it is not, and starts the writer. Resolves when workers may
   * open the tier. Never rejects: an edge without its disk tier goes on without.
   */
  async start(): Promise<void> {
    await this.#examine(false);
    if (!this.#stopping) await this.#spawn();
  }

  /**
   * To be called when a worker has died by a signal that damaged pages cause: examines the tier, values and all, and
   * begins afresh when it is damaged.
   */
  suspect(exit: ExitStatus): void {
    if (this.#stopping) return;
    if (isMemoryFault(exit)) void this.#examine(true);
    else this.#tell({ kind: 'check-readers' });
  }

  /** Removes a block that a worker has found damaged. */
  remove(id: ObjectId, block: number): void {
    this.#tell({ kind: 'remove', id: Array.from(id), block });
  }

  /** Lets the writer commit what it has, and waits until it is gone. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#backoff.cancel();
    await this.#examination;
    await this.#child?.stop(STOP_TIMEOUT);
  }

  #examine(values: boolean): Promise<void> {
    const { folder, capacity, log } = this.#options;
    this.#examination = this.#examination.then(async () => {
      await examine(diskStoreOptions(folder, capacity, log), values ? { values, timeLimit: VALUES_TIME } : {});
    });
    return this.#examination;
  }

  #spawn(): Promise<void> {
    const { folder, capacity, policy, admit, minHits, writeBudget, memoryFile, freeShare } = this.#options;
    const { memoryDescriptor } = this.#options;
    const inherited = memoryDescriptor === undefined ? [] : [memoryDescriptor];
    const task: WriterTask = {
      ...{ folder, capacity, policy, admit, minHits, writeBudget, memoryFile, freeShare },
      memoryDescriptor: inherited.length > 0 ? FIRST_INHERITED : undefined,
    };
    const main = fileURLToPath(new URL(`../disk-writer-main${extname(import.meta.url)}`, import.meta.url));
    return new Promise(resolve => {
      let damaged = false;
      this.#child = new ChildProcess<WriterOrder, WriterReport>({
        entry: main,
        args: [JSON.stringify(task)],
        serialization: 'advanced',
        inherit: inherited,
        prints: false,
        message: report => {
          if (report.kind === 'ready') resolve();
          else if (report.kind === 'stats') this.stats = report.stats;
          else if (report.kind === 'damaged') damaged = true;
          else this.#options.log[report.level](report.fields, report.text);
        },
        exited: exit => {
          resolve();
          const lived = Date.now() - this.#child!.startedAt;
          this.#child = undefined;
          if (!this.#stopping) this.#died(exit, lived, damaged);
        },
      });
    });
  }

  #died({ code: status, signal }: ExitStatus, lived: number, damaged: boolean): void {
    const suspicious = damaged || isMemoryFault({ code: status, signal });
    const delay = this.#backoff.replace(lived, async () => {
      await this.#examine(suspicious);
      if (!this.#stopping) await this.#spawn();
    });
    this.#options.log.warn({ status, signal, delay }, 'the writer of the disk tier has died; it is started again');
  }

  #tell(order: WriterOrder): void {
    this.#child?.send(order);
  }
}
