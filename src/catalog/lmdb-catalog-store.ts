import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../base/log.js';
import type { IndexStore } from '../media/seek/media.js';
import { Environment, type EnvironmentOptions } from '../store/environment.js';
import { examine } from '../store/examination.js';
import { FaultLatch } from '../store/fault-latch.js';
import { storeError } from '../store/store-error.js';
import type { CatalogStore } from './catalog-store.js';
import { FIFO_TABLES, FifoRecords } from './fifo-records.js';
import { storeKey } from './object-identity.js';

/*
 * One environment, tables:
 *   records, stamps  `FifoRecords`; keys 'e' and 16 bytes for entries, 'i' and 16 bytes for compiled seek indexes
 *   purges           records of purges, see purge.ts; never dropped
 */
const FORMAT = 'moovedge-catalog 1';
const ENTRY = Buffer.from('e');
const INDEX = Buffer.from('i');

/** Options of `LmdbCatalogStore`. */
export interface LmdbCatalogStoreOptions {
  /** Folder of the catalog; made when it is missing. */
  readonly folder: string;
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
    get: (identity, kind) => this.#records.get(indexKey(identity, kind)),
    put: (identity, kind, bytes) => void this.#records.put(indexKey(identity, kind), bytes),
  };
  readonly #options: LmdbCatalogStoreOptions;
  readonly #fault: FaultLatch;
  readonly #check: NodeJS.Timeout;
  #owner: boolean;
  #environment: Environment;
  #records: FifoRecords;

  /** @throws EdgeError `store` when the catalog can't be opened */
  constructor(options: LmdbCatalogStoreOptions) {
    this.#options = options;
    this.#owner = options.owner;
    const path = catalogFile(options.folder);
    this.#fault = new FaultLatch(
      options.log,
      { path },
      'the catalog can not be read or written; what is learnt of files is lost at a restart until it can',
      'the catalog can be read and written again',
    );
    try {
      mkdirSync(options.folder, { recursive: true });
    } catch (error) {
      throw storeError(options.folder, error);
    }
    this.#environment = Environment.open({ ...environmentOptions(options), owner: options.owner });
    this.#records = new FifoRecords(this.#environment, options.capacity, this.#fault);
    this.#check = setInterval(() => this.#reopen(), options.checkInterval ?? 1000).unref();
  }

  /**
   * Moves a damaged catalog aside. To be called by the owner before anybody opens it, and when a process that had it
   * open was ended by a signal.
   * @returns false when it was damaged
   */
  static examine(options: Pick<LmdbCatalogStoreOptions, 'folder' | 'capacity' | 'log'>): Promise<boolean> {
    return examine(environmentOptions(options));
  }

  /**
   * Makes this process the owner, when the one before has left. A second store on the same file must not be opened for
   * that.
   */
  own(): void {
    this.#owner = true;
  }

  entry(key: Uint8Array): Uint8Array | undefined {
    return this.#records.get(Buffer.concat([ENTRY, key]));
  }

  saveEntry(key: Uint8Array, value: Uint8Array | undefined, brief = false): Promise<void> {
    return this.#records.put(Buffer.concat([ENTRY, key]), value, brief);
  }

  purge(key: Uint8Array): Uint8Array | undefined {
    try {
      this.#environment.refresh();
      return this.#environment.table('purges').get(key);
    } catch (error) {
      this.#fault.raise(error);
      return undefined;
    }
  }

  savePurges(work: (write: (key: Uint8Array, value: Uint8Array) => void) => void): void {
    const purges = this.#environment.table('purges');
    this.#environment.transaction(() => work((key, value) => purges.put(key, value)));
  }

  /** Bytes on disk that hold something. */
  get usedBytes(): number {
    return this.#environment.usage().usedBytes;
  }

  /** Closes the environment; what was being written is waited for. */
  async close(): Promise<void> {
    clearInterval(this.#check);
    await this.#environment.close();
  }

  /** Goes over to the environment that the owner has begun in place of this one. */
  #reopen(): void {
    if (!this.#environment.replaced) return;
    try {
      const before = this.#environment;
      this.#environment = Environment.open({ ...environmentOptions(this.#options), owner: this.#owner });
      this.#records = new FifoRecords(this.#environment, this.#options.capacity, this.#fault);
      void before.close();
    } catch (error) {
      this.#fault.raise(error);
    }
  }
}

function environmentOptions({
  folder,
  capacity,
  log,
}: Pick<LmdbCatalogStoreOptions, 'folder' | 'capacity' | 'log'>): EnvironmentOptions {
  const tables = [...FIFO_TABLES, 'purges'];
  return { path: catalogFile(folder), format: FORMAT, tables, mapSize: Math.max(capacity * 2, 2 ** 28), log };
}

/** The catalog's data file in `folder`. */
export function catalogFile(folder: string): string {
  return join(folder, 'catalog.mdb');
}

function indexKey(identity: string, kind: string): Uint8Array {
  return Buffer.concat([INDEX, storeKey(`${kind}\n${identity}`)]);
}
