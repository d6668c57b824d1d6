import { join } from 'node:path';
import type { Log } from '../base/log.js';
import { makeOwnFolder } from '../base/own-files.js';
import type { IndexStore } from '../media/seek/media.js';
import type { EnvironmentOptions } from '../store/environment.js';
import { examine } from '../store/examination.js';
import { FaultLatch } from '../store/fault-latch.js';
import { storeError } from '../store/store-error.js';
import { type CatalogStore, GATHERED } from './catalog-store.js';
import { FIFO_TABLES } from './fifo-records.js';
import { storeKey } from './object-identity.js';
import { RecordFile } from './record-file.js';

/*
 * Two environments. Each commit costs a disk some 100 KiB, so entries are first put where a commit costs nothing, in a
 * file beside the memory tier's, where all processes see them; those that shall outlive it follow to the catalog's disk
 * together.
 *   recent.mdb records, stamps `FifoRecords`: entries of late, 'e' and 16 bytes; what stands here is newer than what
 *   the catalog has catalog.mdb records, stamps keys 'e' and 16 bytes for entries, 'i' and 16 bytes for compiled seek
 *   indexes
 *                purges           records of purges, see purge.ts; never dropped
 */
const FORMAT = 'moovedge-catalog 1';
const RECENT_FORMAT = 'moovedge-recent 1';
const ENTRY = Buffer.from('e');
const INDEX = Buffer.from('i');
/** Most bytes of recent entries. */
const RECENT_BYTES = 8 * 1024 * 1024;
/**
 * Entries go to the disk this many milliseconds after the first of them, or when this share of the recent bytes has
 * come since: before they can have made room there, with several processes too.
 */
const WRITE_AFTER = 5000;
const WRITE_SHARE = 1 / 8;
/** Most entries of one commit: what it may take is allocated ahead. */
const COMMIT_COUNT = 128;
/** Milliseconds that compiled indexes wait to be written together: whoever asked for them is answered first. */
const INDEXES_AFTER = 100;

/** Options of `LmdbCatalogStore`. */
export interface LmdbCatalogStoreOptions {
  /** Folder of the catalog; made when it is missing. */
  readonly folder: string;
  /** Folder of the recent entries, which should be in memory (tmpfs); default `folder`. */
  readonly recent?: string | undefined;
  /** Most bytes on disk. */
  readonly capacity: number;
  /** True in the one process of the machine that may set a damaged catalog aside and begin a fresh one; see `own`. */
  readonly owner: boolean;
  readonly log: Log;
  /** Milliseconds between looks at whether the owner has begun afresh; default 1000. */
  readonly checkInterval?: number;
}

/** The catalog on disk: entries, compiled seek indexes and purges, shared by all processes of the machine. */
export class LmdbCatalogStore implements CatalogStore {
  /** For the media stage. */
  readonly indexes: IndexStore = {
    get: (identity, kind) => this.#catalog.records.get(indexKey(identity, kind)),
    put: (identity, kind, bytes) => {
      this.#unwrittenIndexes.push([indexKey(identity, kind), bytes]);
      this.#indexTimer ??= setTimeout(() => void this.#writeIndexes(), INDEXES_AFTER).unref();
    },
  };
  #unwrittenIndexes: [Uint8Array, Uint8Array][] = [];
  #indexTimer: NodeJS.Timeout | undefined;
  readonly #check: NodeJS.Timeout;
  readonly #catalog: RecordFile;
  readonly #recent: RecordFile;
  readonly #fault: FaultLatch;
  /** Entries that this process has still to write to the disk, by their keys in hexadecimal digits. */
  #unwritten = new Map<string, Uint8Array>();
  #writeTimer: NodeJS.Timeout | undefined;
  /** A write under way. */
  #writing: Promise<void> | undefined;
  readonly #recentBytes: number;
  /** Bytes of recent entries since the last write to the disk. */
  #sinceWrite = 0;
  #owner: boolean;

  /** @throws EdgeError `store` when the catalog can't be opened */
  constructor(options: LmdbCatalogStoreOptions) {
    const { folder, recent = folder, capacity, owner, log } = options;
    this.#owner = owner;
    this.#fault = new FaultLatch(
      log,
      { path: catalogFile(folder) },
      'the catalog can not be read or written; what is learnt of files is lost at a restart until it can',
      'the catalog can be read and written again',
    );
    for (const each of [folder, recent]) makeFolder(each);
    const fault = this.#fault;
    this.#recentBytes = Math.min(capacity, RECENT_BYTES);
    this.#catalog = new RecordFile({ environment: { ...catalogOptions(options), owner }, capacity, fault });
    this.#recent = new RecordFile({
      environment: { ...recentOptions(options), owner },
      capacity: this.#recentBytes,
      fault,
    });
    this.#check = setInterval(() => this.#reopen(), options.checkInterval ?? 1000).unref();
  }

  /**
   * Moves what is damaged aside. To be called by the owner before anybody opens it, and when a process that had it open
   * was ended by a signal.
   * @returns false when something was damaged
   */
  static async examine(options: CatalogPlace): Promise<boolean> {
    const sound = await Promise.all([examine(catalogOptions(options)), examine(recentOptions(options))]);
    return sound.every(Boolean);
  }

  /**
   * Makes this process the owner, when the one before has left. A second store on the same file must not be opened for
   * that.
   */
  own(): void {
    this.#owner = true;
  }

  entry(key: Uint8Array): Uint8Array | undefined {
    const entryKey = Buffer.concat([ENTRY, key]);
    return this.#recent.records.get(entryKey) ?? this.#catalog.records.get(entryKey);
  }

  *entries(): Generator<readonly Uint8Array[]> {
    // What stands in both is newer there.
    const recent = new Set<string>();
    for (const page of this.#recent.records.pages(ENTRY)) {
      for (const { key } of page) recent.add(key.toString('latin1'));
      yield page.map(({ value }) => value);
    }
    for (const page of this.#catalog.records.pages(ENTRY)) {
      yield page.filter(({ key }) => !recent.has(key.toString('latin1'))).map(({ value }) => value);
    }
  }

  async saveEntry(key: Uint8Array, value: Uint8Array | undefined, brief = false): Promise<void> {
    const entryKey = Buffer.concat([ENTRY, key]);
    const name = entryKey.toString('hex');
    const saved = this.#recent.records.put([[entryKey, value]]);
    this.#sinceWrite += value?.length ?? 0;
    const stays = value !== undefined && !brief;
    if (stays) this.#unwritten.set(name, value);
    else this.#unwritten.delete(name);
    this.#writeLater();
    if (!stays) {
      // What the catalog has must not come to light again when the recent entry has made room for others.
      await this.#writing;
      if (this.#catalog.records.has(entryKey)) await this.#catalog.records.put([[entryKey, undefined]]);
    }
    return saved;
  }

  purge(key: Uint8Array): Uint8Array | undefined {
    try {
      const { environment } = this.#catalog;
      environment.refresh();
      return environment.table('purges').get(key);
    } catch (error) {
      this.#fault.raise(error);
      return undefined;
    }
  }

  savePurges(work: (write: (key: Uint8Array, value: Uint8Array) => void) => void): void {
    const { environment } = this.#catalog;
    const purges = environment.table('purges');
    environment.transaction(() => work((key, value) => purges.put(key, value)));
  }

  /** Bytes of the catalog's disk that hold something. */
  get usedBytes(): number {
    return this.#catalog.environment.usage().usedBytes;
  }

  /** Writes what is still to be written to the disk, and closes. */
  async close(): Promise<void> {
    clearInterval(this.#check);
    await this.#writing;
    await Promise.all([this.#write(), this.#writeIndexes()]);
    clearTimeout(this.#writeTimer);
    await Promise.all([this.#catalog.close(), this.#recent.close()]);
  }

  #writeLater(): void {
    if (this.#unwritten.size === 0) return;
    if (this.#sinceWrite >= this.#recentBytes * WRITE_SHARE) void this.#write();
    else this.#writeTimer ??= setTimeout(() => void this.#write(), WRITE_AFTER).unref();
  }

  /** Writes the entries that wait for it to the disk, when a write that is under way has ended. */
  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      this.#writeLater();
    });
    return this.#writing;
  }

  /** Writes the entries as they are by now, which another process may have seen to. */
  async #writeAll(): Promise<void> {
    clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    this.#sinceWrite = 0;
    const unwritten = this.#unwritten;
    this.#unwritten = new Map();
    const entries: [Uint8Array, Uint8Array][] = [];
    for (const [name, value] of unwritten) {
      const key = Buffer.from(name, 'hex');
      entries.push([key, this.#recent.records.get(key) ?? value]);
    }
    await this.#writeRecords(entries);
  }

  #writeIndexes(): Promise<void> {
    clearTimeout(this.#indexTimer);
    this.#indexTimer = undefined;
    return this.#writeRecords(this.#unwrittenIndexes.splice(0));
  }

  async #writeRecords(records: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Promise<void> {
    for (let at = 0; at < records.length; at += COMMIT_COUNT) {
      await this.#catalog.records.put(records.slice(at, at + COMMIT_COUNT));
    }
  }

  /** Goes over to the environments that the owner has begun in place of these. */
  #reopen(): void {
    this.#catalog.reopen(this.#owner);
    this.#recent.reopen(this.#owner);
  }
}

/** Where a catalog is, and what its owner knows of it. */
export type CatalogPlace = Pick<LmdbCatalogStoreOptions, 'folder' | 'recent' | 'capacity' | 'log'>;

/** @throws EdgeError `store` */
function makeFolder(folder: string): void {
  try {
    makeOwnFolder(folder);
  } catch (error) {
    throw storeError(folder, error);
  }
}

function catalogOptions({ folder, capacity, log }: CatalogPlace): EnvironmentOptions {
  const tables = [...FIFO_TABLES, 'purges'];
  return { path: catalogFile(folder), format: FORMAT, tables, mapSize: Math.max(capacity * 2, 2 ** 28), log };
}

function recentOptions({ folder, recent = folder, log }: CatalogPlace): EnvironmentOptions {
  const path = join(recent, 'recent.mdb');
  const mapSize = RECENT_BYTES * 4;
  return { path, format: RECENT_FORMAT, tables: FIFO_TABLES, mapSize, gathered: GATHERED, log };
}

/** The catalog's data file in `folder`. */
export function catalogFile(folder: string): string {
  return join(folder, 'catalog.mdb');
}

function indexKey(identity: string, kind: string): Uint8Array {
  return Buffer.concat([INDEX, storeKey(`${kind}\n${identity}`)]);
}
