import type { Watch } from './film-trace.js';

/** Blocks that were looked up, by where they were found. */
export interface TierHits {
  memory: number;
  disk: number;
  origin: number;
}

interface Block {
  readonly key: number;
  views: number;
  onDisk: boolean;
  colder: Block;
  warmer: Block;
}

/**
 * The tiers as they decide, without their bytes: memory least recently used first, disk first in first out. Sizes in
 * blocks.
 */
export class TierModel {
  readonly #memory = new Map<number, Block>();
  readonly #disk = new Set<number>();
  /** Keys on disk in the order in which they came, as a ring. */
  readonly #ring: Float64Array;
  #written = 0;
  /** Stands between the warmest and the coldest block. */
  readonly #ends: Block;
  readonly hits: TierHits = { memory: 0, disk: 0, origin: 0 };

  constructor(
    readonly memoryBlocks: number,
    readonly diskBlocks: number,
    readonly minHits: number,
  ) {
    this.#ring = new Float64Array(diskBlocks);
    const ends = { key: -1, views: 0, onDisk: false } as Block;
    ends.colder = ends;
    ends.warmer = ends;
    this.#ends = ends;
  }

  watch({ film, block, blocks }: Watch): void {
    for (let n = block; n < block + blocks; n++) this.#view(film * 65_536 + n);
  }

  #view(key: number): void {
    const found = this.#memory.get(key);
    if (found !== undefined) {
      this.hits.memory++;
      found.views++;
      unlink(found);
      this.#linkWarmest(found);
      return;
    }
    const onDisk = this.#disk.has(key);
    if (onDisk) this.hits.disk++;
    else this.hits.origin++;
    const block = { key, views: 1, onDisk } as Block;
    this.#memory.set(key, block);
    this.#linkWarmest(block);
    if (this.#memory.size > this.memoryBlocks) this.#evict();
  }

  #linkWarmest(block: Block): void {
    block.warmer = this.#ends;
    block.colder = this.#ends.colder;
    block.colder.warmer = block;
    this.#ends.colder = block;
  }

  #evict(): void {
    const { key, views, onDisk } = this.#ends.warmer;
    unlink(this.#ends.warmer);
    this.#memory.delete(key);
    if (onDisk || views < this.minHits || this.diskBlocks === 0 || this.#disk.has(key)) return;
    const place = this.#written++ % this.diskBlocks;
    if (this.#written > this.diskBlocks) this.#disk.delete(this.#ring[place]!);
    this.#ring[place] = key;
    this.#disk.add(key);
  }
}

function unlink(block: Block): void {
  block.colder.warmer = block.warmer;
  block.warmer.colder = block.colder;
}
