import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { EdgeError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { expectOwnFile, makeOwnFolder } from '../base/own-files.js';
import { allocate, expectSpace } from './allocation.js';
import { BatchCommits } from './batch-commits.js';
import { Changes, roomFor } from './changes.js';
import { BEGIN_BYTES, inspectDataFile, MAX_READERS, prepareForReading, prepareForWriting } from './lmdb-file.js';
import { type LmdbStats, treePages } from './lmdb-stats.js';
import { moveAside } from './move-aside.js';
import { OpeningLock } from './opening-lock.js';
import { isDamage, storeError, UnusableData } from './store-error.js';
import { type LmdbDatabase, StoreTable } from './table.js';

/** What an environment is opened with. */
export interface EnvironmentOptions {
  /**
   * The data file; LMDB's lock file stands beside it with `-lock` behind its name. The folder is made when it is
   * missing.
   */
  path: string;
  /**
   * Name and version of what is stored, such as `moovedge-catalog 1`. It is written into a fresh environment; one that
   * says something else was made by another version and is not read.
   */
  format: string;
  /** Names of the tables. */
  tables: readonly string[];
  /**
   * Bytes of address space to map. Take at least twice what the environment shall ever hold: LMDB as built into lmdb-js
   * grows the map past this figure rather than fail, so it is no limit; whoever writes bounds what it stores by
   * `usage`.
   */
  mapSize: number;
  /** Milliseconds for which batches are gathered into one commit. The default is 0. */
  gathered?: number;
  /** True in processes that only read. The default is false. */
  readOnly?: boolean;
  /**
   * True in the one process of the machine that may move a damaged, foreign or otherwise made environment aside and
   * begin a fresh one. In all others, which is the default, such an environment is an error.
   */
  owner?: boolean;
  /** Told when an environment was moved aside. */
  log: Log;
}

/** How much of the disk an environment takes. */
export interface EnvironmentUsage {
  /** Bytes of the data file. It never shrinks; freed pages are used again. */
  fileBytes: number;
  /** Bytes of the file up to the last page that was ever used; what follows is allocated. */
  endBytes: number;
  /** Bytes of pages that hold something, LMDB's own trees included. */
  usedBytes: number;
  /** Slots of the reader table that were ever taken. */
  readers: number;
}

/** The two meta pages of LMDB. */
const META_PAGES = 2;
const ENCODING = { encoding: 'binary', keyEncoding: 'binary', compression: false, cache: false } as const;
/** Table and key under which the format is kept. */
const FORMAT_TABLE = 'format';
const FORMAT_KEY = Buffer.from('format');
/**
 * Bytes that other processes may commit between the allocation for a batch and its commit, which unlike a transaction
 * waits without the lock.
 */
const OTHERS_BYTES = 2 ** 20;

/**
 * An LMDB environment: ordered tables of binary keys and values in one memory-mapped file, read by many processes
 * without locks and written by one at a time. Survives `kill -9` of any process: what was committed is there, the rest
 * never was. The only importer of lmdb.
 *
 * A read sees what was committed when the current turn of the event loop made its first read.
 */
export class Environment {
  readonly #root: RootDatabase<Buffer, Uint8Array>;
  readonly #tables = new Map<string, StoreTable>();
  readonly #path: string;
  readonly #inode: number;
  #changes: Changes | undefined;
  readonly #batches: BatchCommits;
  readonly #lock: OpeningLock;
  /** Bytes that are known to be allocated: the file never shrinks. */
  #allocated = 0;
  #closed = false;

  private constructor(options: EnvironmentOptions) {
    this.#path = options.path;
    if (options.readOnly !== true) makeOwnFolder(dirname(options.path));
    expectOwnFile(options.path);
    const state = inspectDataFile(options.path);
    if (state === 'foreign') throw new UnusableData('foreign', 'expected a file of LMDB, found something else');
    if (state === 'damaged') throw new UnusableData('damaged', 'expected two meta pages that fit the file');
    if (options.readOnly !== true) prepareForWriting(options.path, state === 'sound');
    else if (state === 'missing') throw new Error('it is not there yet');
    else prepareForReading(options.path);
    this.#lock = OpeningLock.open(options.path, options.log);
    try {
      this.#root = this.#openRoot(options);
    } catch (error) {
      this.#lock.close();
      throw error;
    }
    const makeRoom = (batches: readonly Changes[]) => this.#makeRoom(batches, OTHERS_BYTES);
    const database = { batch: (work: () => void) => this.#lock.commit(() => this.#root.batch(work)) };
    this.#batches = new BatchCommits(database, options.path, makeRoom, options.gathered);
    try {
      this.#inode = statSync(options.path).ino;
      if (options.readOnly !== true) this.allocate(BEGIN_BYTES);
      this.#expectFormat(options);
      for (const name of options.tables) this.#tables.set(name, this.#openTable(name, options.readOnly !== true));
      this.#lock.opened();
      if (options.readOnly === true) this.#lock.close();
    } catch (error) {
      void this.#root.close();
      this.#lock.close();
      throw error;
    }
  }

  /**
   * Opens an environment, and makes it when it is missing (not when `readOnly`).
   * @throws EdgeError `store` when the folder or file can't be read or written, when the disk is full, or when the
   * environment is damaged, foreign or of another version and this process is not its `owner`
   */
  static open(options: EnvironmentOptions): Environment {
    try {
      return new Environment(options);
    } catch (error) {
      const reason = error instanceof UnusableData ? error.reason : isDamage(error) ? 'damaged' : undefined;
      if (reason === undefined || options.owner !== true) throw storeError(options.path, error);
      const aside = moveAside(options.path, reason);
      options.log.warn(
        { path: options.path, aside, reason, error },
        'a store can not be used and was moved aside; it begins afresh',
      );
    }
    try {
      return new Environment(options);
    } catch (error) {
      throw storeError(options.path, error);
    }
  }

  /** A table by its name, which must be one of the options' `tables`. */
  table(name: string): StoreTable {
    const table = this.#tables.get(name);
    if (table === undefined) throw new EdgeError('internal', `no table ${name} was opened in ${this.#path}`);
    return table;
  }

  /**
   * Runs `work` as one transaction and returns when it is committed and on disk. `work` reads what it has written.
   * Blocks the event loop for as long as the disk takes: not for processes with players.
   * @throws EdgeError `store` when it can't be committed (disk full, read-only, damaged), and what `work` throws; then
   *   nothing was written
   */
  transaction<T>(work: () => T): T {
    this.#expectOpen();
    const changes = new Changes();
    try {
      return this.#lock.commitSync(() =>
        this.#root.transactionSync(() => {
          const result = this.#collect(changes, work);
          this.#makeRoom([changes]);
          return result;
        }),
      );
    } catch (error) {
      throw typeof (error as { code?: unknown }).code === 'number' ? storeError(this.#path, error) : error;
    }
  }

  /**
   * Collects the puts and removes that `work` makes and commits them in the background, all or none. Batches that come
   * while a commit is under way share the next one. The values must stay unchanged until the promise settles. Other
   * writers' commits come before or after, never between.
   * @throws EdgeError `store` (by rejection) when they could not be committed, and what `work` throws; then none of it
   *   was written
   */
  async batch(work: () => void): Promise<void> {
    this.#expectOpen();
    const changes = new Changes(true);
    this.#collect(changes, work);
    return this.#batches.add(changes);
  }

  /** The next read sees what any process has committed by then. */
  refresh(): void {
    this.#expectOpen();
    this.#root.resetReadTxn();
  }

  /** How much of the disk is taken. Reads a few pages. */
  usage(): EnvironmentUsage {
    this.#expectOpen();
    const { root, free, lastPageNumber, numReaders } = this.#root.getStats() as LmdbStats;
    let pages = META_PAGES + treePages(root) + treePages(free);
    for (const table of this.#tables.values()) pages += table.pages.tree + table.pages.values;
    return {
      fileBytes: statSync(this.#path).size,
      endBytes: (lastPageNumber + 1) * root.pageSize,
      usedBytes: pages * root.pageSize,
      readers: numReaders,
    };
  }

  /**
   * Makes the file at least `bytes` long, with space on the disk for all of it.
   * @param free bytes that must be free on the disk then
   * @throws EdgeError `store` when there is no space, or the disk can't be written
   */
  allocate(bytes: number, free = 0): void {
    this.#expectOpen();
    try {
      if (bytes > this.#allocated) allocate(this.#path, this.#inode, bytes);
      this.#allocated = Math.max(this.#allocated, bytes);
      if (free > 0) expectSpace(this.#path, free);
    } catch (error) {
      throw storeError(this.#path, error);
    }
  }

  /**
   * Frees what processes that died have left in the table of readers, so that they no longer keep freed pages from
   * being used again.
   * @returns how many there were
   */
  checkReaders(): number {
    this.#expectOpen();
    return this.#root.readerCheck();
  }

  /**
   * Transactions committed since the oldest snapshot that some process is still reading. Pages freed since then can't
   * be used again yet.
   */
  snapshotLag(): number {
    this.#expectOpen();
    const { lastTxnId } = this.#root.getStats() as LmdbStats;
    let oldest = lastTxnId;
    // LMDB's table: process, thread, and transaction or '-'.
    for (const [, transaction] of this.#root.readerList().matchAll(/^ *\d+ +[0-9a-f]+ +(\d+)$/gm)) {
      oldest = Math.min(oldest, Number(transaction));
    }
    return lastTxnId - oldest;
  }

  /**
   * True when another file stands at the path, or none: the owner has begun afresh, and this environment is to be
   * closed and opened again.
   */
  get replaced(): boolean {
    try {
      return statSync(this.#path).ino !== this.#inode;
    } catch {
      return true;
    }
  }

  /**
   * Writes what the environment holds, without its free pages, to a new file. Off the event loop.
   * @throws EdgeError `store` by rejection
   */
  async compactTo(path: string): Promise<void> {
    this.#expectOpen();
    try {
      await this.#root.backup(path, true);
    } catch (error) {
      throw storeError(path, error);
    }
  }

  /** Waits for batches and prefetches under way, then unmaps the file. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#root.close();
    this.#lock.close();
  }

  #openRoot({ path, mapSize, tables, readOnly = false }: EnvironmentOptions): RootDatabase<Buffer, Uint8Array> {
    return open<Buffer, Uint8Array>({
      ...ENCODING,
      path,
      noSubdir: true,
      mapSize,
      maxReaders: MAX_READERS,
      maxDbs: tables.length + 1,
      readOnly,
      // With batching by event turn, a failed commit rejects promises that nobody holds.
      eventTurnBatching: false,
    });
  }

  #collect<T>(changes: Changes, work: () => T): T {
    this.#changes = changes;
    try {
      return work();
    } finally {
      this.#changes = undefined;
    }
  }

  /**
   * Allocates what a commit may need, so that LMDB finds space for every page: after a write that fails it corrupts the
   * heap of the process, as it puts what it has to say of that into too small a buffer.
   * @param more bytes beside
   * @throws EdgeError `store` when the disk is full or can't be written
   */
  #makeRoom(batches: readonly Changes[], more = 0): void {
    const { root, free, lastPageNumber } = this.#root.getStats() as LmdbStats;
    let tables = treePages(root);
    for (const { pages } of this.#tables.values()) tables += pages.tree;
    const { bytes, rest } = roomFor(batches, root.pageSize, { tables, free: treePages(free) });
    this.allocate((lastPageNumber + 1) * root.pageSize + bytes + more, rest);
  }

  #expectOpen(): void {
    if (this.#closed) throw new EdgeError('store', `${this.#path} was closed`);
  }

  #openTable(name: string, create: boolean): StoreTable {
    const database = this.#root.openDB({ ...ENCODING, name, create } as { name: string }) as unknown;
    // lmdb-js gives undefined for a table that is not there.
    if (database === undefined) throw new UnusableData('foreign', `expected a table '${name}', found none`);
    return new StoreTable(database as LmdbDatabase, () => this.#changes);
  }

  /**
   * Writes the format when the environment is fresh, which it also is when its maker died before it wrote the format.
   */
  #expectFormat({ format, readOnly }: EnvironmentOptions): void {
    const fresh = readOnly !== true && (this.#root.getStats() as LmdbStats).root.entryCount <= 1;
    const table = this.#openTable(FORMAT_TABLE, fresh);
    const found = table.get(FORMAT_KEY)?.toString();
    if (found === format) return;
    if (found !== undefined) {
      throw new UnusableData('other-version', `expected the format '${format}', found '${found.slice(0, 64)}'`);
    }
    if (!fresh) throw new UnusableData('foreign', `expected the format '${format}', found none`);
    this.transaction(() => table.put(FORMAT_KEY, Buffer.from(format)));
  }
}
