import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { BLOCK_SIZE, type ObjectId } from '../../../../src/base/block.js';
import { SharedMemoryTier, type SharedMemoryTierOptions } from '../../../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../../support/defaults.js';

/** A path under /dev/shm that nothing has, removed by `remove`. */
export function temporaryCacheFile(): { file: string; remove: () => void } {
  const file = `/dev/shm/moovedge-test-${randomBytes(6).toString('hex')}.cache`;
  return { file, remove: () => rmSync(file, { recursive: true, force: true }) };
}

/** A shared tier on a file of its own that goes with it. */
export class TemporaryTier extends SharedMemoryTier {
  readonly file: string;
  readonly #remove: () => void;

  constructor(blocks: number, options: Partial<SharedMemoryTierOptions> = {}) {
    const { file, remove } = temporaryCacheFile();
    super({ ...DEFAULTS.memoryTier, file, role: 'supervisor', size: blocks * BLOCK_SIZE, ...options });
    this.file = file;
    this.#remove = remove;
  }

  override close(): void {
    super.close();
    this.#remove();
  }
}

/** An object id made from a number. */
export function idOf(number: number): ObjectId {
  return Uint32Array.of(number, number * 7, ~number, 99) as ObjectId;
}
