import { blockLength } from '../../base/block.js';
import type { BlockFill } from '../memory/memory-tier.js';
import type { ObjectSupply } from './object-loader.js';
import { type Feed, type Follower, Followers } from './waiters.js';

/**
 * One block on its way from the disk tier into the memory tier. Without a fill (no room in memory) its bytes are lent to those who wait
 * for it.
 */
export class DiskLoad implements Feed {
  readonly kind = 'disk';
  readonly #object: ObjectSupply;
  readonly #block: number;
  readonly #fill: BlockFill | undefined;
  readonly #followers = new Followers();
  #bytes: Uint8Array | undefined;

  constructor(object: ObjectSupply, block: number, fill: BlockFill | undefined) {
    this.#object = object;
    this.#block = block;
    this.#fill = fill;
  }

  begin(): void {
    const { supply, id, size } = this.#object;
    supply.stats.diskLoads++;
    supply.disk!.load(id, this.#block, blockLength(size, this.#block), bytes => this.#done(bytes));
  }

  join(follower: Follower): void {
    this.#followers.add(follower);
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** After a load without a fill, while its followers are being woken: the block's bytes, theirs to keep. */
  lent(block: number): Uint8Array | undefined {
    return block === this.#block ? this.#bytes : undefined;
  }

  #done(bytes: Uint8Array | undefined): void {
    const fill = this.#fill;
    if (bytes === undefined) {
      this.#object.supply.stats.failedDiskLoads++;
      fill?.abandon();
    } else if (fill === undefined) {
      this.#bytes = new Uint8Array(bytes);
    } else {
      fill.append(fill.watermark === 0 ? bytes : bytes.subarray(fill.watermark));
    }
    this.#object.loaded(this.#block, bytes !== undefined);
    this.#followers.wakeAll();
  }
}
