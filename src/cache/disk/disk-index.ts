import type { ObjectId } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import type { Environment } from '../../store/environment.js';
import type { StoreTable } from '../../store/table.js';
import { BLOCK_KEY_BYTES, SEQUENCE_BYTES, writeBlockKey } from './disk-record.js';
import { diskFile, INDEX_TABLE, openForReading } from './disk-store.js';

/** Which blocks the disk tier holds, for a look at it while others read and write; no block can be read by this. */
export class DiskIndex {
  readonly #environment: Environment;
  readonly #index: StoreTable;
  readonly #key = Buffer.alloc(BLOCK_KEY_BYTES);

  private constructor(environment: Environment) {
    this.#environment = environment;
    this.#index = environment.table(INDEX_TABLE);
  }

  /**
   * Opens that of a tier in `folder`, to be closed by the caller; undefined where there is none that can be read.
   * @param capacity most bytes of the tier on disk, as its writer was told
   */
  static open(folder: string, capacity: number, log: Log): DiskIndex | undefined {
    let environment: Environment | undefined;
    try {
      environment = openForReading(folder, capacity, log);
      return new DiskIndex(environment);
    } catch (error) {
      void environment?.close();
      log.warn({ path: diskFile(folder), error: (error as Error).message }, 'the disk tier can not be looked at');
      return undefined;
    }
  }

  has(id: ObjectId, block: number): boolean {
    try {
      return this.#index.getShared(writeBlockKey(this.#key, id, block))?.length === SEQUENCE_BYTES;
    } catch {
      // Whoever reads blocks tells of damaged pages.
      return false;
    }
  }

  close(): void {
    void this.#environment.close();
  }
}
