import { blockLength } from '../../base/block.js';
import type { BlockFill } from '../memory/memory-tier.js';
import type { ObjectLoader } from './object-loader.js';
import { type InFlight, type Waiter, Waiters } from './waiters.js';

/**
 * One block on its way from the disk tier into the memory tier. Without a fill (no room in memory) its bytes are lent
 * to those who wait for it.
 */
export class DiskLoad implements InFlight {
  readonly kind = 'disk';
  readonly #object: ObjectLoader;
  readonly #block: number;
  readonly #fill: BlockFill | undefined;
  readonly #waiters = new Waiters();
  #bytes: Uint8Array | undefined;

  constructor(object: ObjectLoader, block: number, fill: BlockFill | undefined) {
    this.#object = object;
    this.#block = block;
    this.#fill = fill;
  }

  begin(): void {
    const { loader, id, size } = this.#object;
    loader.stats.diskLoads++;
    loader.disk!.load(id, this.#block, blockLength(size, this.#block), bytes => this.#done(bytes));
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** After a load without a fill, while its waiters are being woken: the block's bytes, theirs to keep. */
  lent(block: number): Uint8Array | undefined {
    return block === this.#block ? this.#bytes : undefined;
  }

  #done(bytes: Uint8Array | undefined): void {
    const fill = this.#fill;
    if (bytes === undefined) {
      this.#object.loader.stats.failedDiskLoads++;
      fill?.abandon();
    } else if (fill === undefined) {
      this.#bytes = new Uint8Array(bytes);
    } else {
      fill.append(fill.watermark === 0 ? bytes : bytes.subarray(fill.watermark));
    }
    this.#object.loaded(this.#block, bytes !== undefined);
    this.#waiters.wakeAll();
  }
}
