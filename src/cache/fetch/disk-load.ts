import { blockLength } from '../../base/block.js';
import type { FetchHost } from './fetch-host.js';
import { type InFlight, type Waiter, Waiters } from './waiters.js';

/** One block that the disk tier is reading, for those who wait until it can be had there at once. */
export class DiskLoad implements InFlight {
  readonly kind = 'disk';
  readonly #object: FetchHost;
  readonly #block: number;
  readonly #waiters = new Waiters();
  /** True once the block can be had. */
  isFound = false;

  constructor(object: FetchHost, block: number) {
    this.#object = object;
    this.#block = block;
  }

  begin(): void {
    const { loader, id, size } = this.#object;
    loader.stats.diskLoads++;
    loader.disk!.load(id, this.#block, blockLength(size, this.#block), found => this.#done(found));
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  #done(found: boolean): void {
    this.isFound = found;
    if (!found) this.#object.loader.stats.failedDiskLoads++;
    this.#object.loadEnded(this.#block, found);
    this.#waiters.wakeAll();
  }
}
