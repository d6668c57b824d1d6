import { BLOCK_SIZE, blockLength } from '../../base/block.js';
import type { BlockFill } from '../memory/memory-tier.js';
import type { Bypass } from './bypass.js';
import type { FetchHost } from './fetch-host.js';
import { type InFlight, type Waiter, Waiters } from './waiters.js';

/**
 * One block on its way from the disk tier into the memory tier. Without a fill (no room in memory) its bytes are lent
 * to those who wait for it.
 */
export class DiskLoad implements InFlight {
  readonly kind = 'disk';
  readonly #object: FetchHost;
  readonly #block: number;
  readonly #fill: BlockFill | undefined;
  readonly #waiters = new Waiters();
  #bytes: Uint8Array | undefined;

  constructor(object: FetchHost, block: number, fill: BlockFill | undefined) {
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
    this.#object.loadEnded(this.#block, bytes !== undefined);
    this.#waiters.wakeAll();
  }
}

/** One block's bytes, lent to a reader past the cache. */
export class LentBlock implements Bypass {
  readonly outcome = 'disk';
  readonly #start: number;
  readonly #bytes: Uint8Array;

  constructor(block: number, bytes: Uint8Array) {
    this.#start = block * BLOCK_SIZE;
    this.#bytes = bytes;
  }

  view(offset: number, end: number): Uint8Array | undefined {
    const from = offset - this.#start;
    if (from < 0 || from >= this.#bytes.length) return undefined;
    return this.#bytes.subarray(from, end - this.#start);
  }

  want(): boolean {
    return false;
  }

  close(): void {}
}
