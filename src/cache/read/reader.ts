import { type Asker, EDGE_ITSELF } from '../../base/asker.js';
import { BLOCK_SIZE, blockLength, blockOf } from '../../base/block.js';
import type { CacheOutcome } from '../../base/cache-outcome.js';
import { EdgeError } from '../../base/errors.js';
import { type Pieces, placeOf } from '../../base/pieces.js';
import type { Bypass } from '../fetch/bypass.js';
import type { BypassStream } from '../fetch/bypass-stream.js';
import { DiskLoad } from '../fetch/disk-load.js';
import type { ObjectLoader } from '../fetch/object-loader.js';
import type { Demand, InFlight, Waiter } from '../fetch/waiters.js';
import { ABSENT, type BlockWaiter } from '../memory/memory-tier.js';
import type { BlockReader, ReaderListener } from './block-reader.js';
import { ReadAhead } from './read-ahead.js';

/** Milliseconds for which a reader waits for room. */
const ROOM_TIMEOUT = 15_000;

/** Where a block came from, from fast to slow: of several steps the slowest is the outcome. */
const SLOWNESS = { memory: 0, disk: 1, collapsed: 2, miss: 3, bypass: 4 } as const;
type Way = keyof typeof SLOWNESS;

/**
 * What has been begun for a reader before it was made: blocks `[from, to)` on their way, or a stream past the cache.
 */
export interface Begun {
  readonly from: number;
  readonly to: number;
  readonly stream?: BypassStream | undefined;
}

/**
 * The reader of one version of one object: memory tier first; `want` has the rest brought there, or streams past it.
 */
export class CachedReader implements BlockReader, Demand, Waiter, BlockWaiter {
  outcome: CacheOutcome = 'memory';
  readonly #object: ObjectLoader;
  readonly asker: Asker;
  readonly #looksAhead: boolean;
  #pinned = false;
  /**
   * What is laid out: where it begins, -1 while nothing is; where its reader means to stop; its last block, and how
   * that was come by.
   */
  #laidFrom = -1;
  #laidEnd = 0;
  #laidLast = 0;
  #laidFound: 'memory' | 'collapsed' = 'memory';
  /** Block that was read from disk last, and lies in a buffer there; -1 for none. */
  #fromDisk = -1;
  readonly #ahead: ReadAhead;
  #registered = false;
  #closed = false;

  /** Offset that was asked for and not yet told; valid while there is a listener. */
  wanted = 0;
  #listener: ReaderListener | undefined;
  /**
   * What is being waited on: what is in flight in this process, or the tier, for a block that another process
   * fills.
   */
  #inFlight: InFlight | undefined;
  #tierBlock = -1;
  #bypass: Bypass | undefined;
  /** `performance.now()` since when there is no way to the wanted byte; 0 while there is. */
  #stuckSince = 0;
  /** Where the wanted block is coming from. */
  #way: Way = 'memory';
  #wayBlock = -1;

  /**
   * To be closed by its owner; one that does not look ahead need not be, while it does not `want`.
   * @param begun what has been begun for it; a stream becomes the reader's
   * @param asker for whom it reads
   * @param looksAhead false to have nothing brought but what is wanted
   */
  constructor(object: ObjectLoader, begun?: Begun, asker: Asker = EDGE_ITSELF, looksAhead = true) {
    this.#object = object;
    this.asker = asker;
    this.#looksAhead = looksAhead;
    this.#ahead = new ReadAhead(object, asker);
    if (begun === undefined) return;
    this.#bypass = begun.stream;
    this.#ahead.begin(begun.from, begun.to);
    this.#register();
  }

  read(offset: number, end: number): Uint8Array | undefined {
    const bypass = this.#bypass;
    if (bypass !== undefined) {
      const view = bypass.view(offset, end);
      if (view !== undefined) {
        this.#came(blockOf(offset), end, bypass.outcome);
        return view;
      }
    }
    const { tier } = this.#object.loader;
    const block = blockOf(offset);
    const readable = tier.acquire(this.#object.id, block, block !== this.#ahead.block);
    if (readable === ABSENT) return this.#readDisk(block, offset, end);
    const start = block * BLOCK_SIZE;
    const to = Math.min(readable, end - start);
    if (to <= offset - start) {
      tier.release();
      return this.#readDisk(block, offset, end);
    }
    this.#pinned = true;
    if (bypass !== undefined) this.#leaveBypass();
    const view = tier.view(offset - start, to);
    this.#came(block, end, readable < blockLength(this.#object.size, block) ? 'collapsed' : 'memory');
    return view;
  }

  #readDisk(block: number, offset: number, end: number): Uint8Array | undefined {
    const { size } = this.#object;
    const start = block * BLOCK_SIZE;
    const length = blockLength(size, block);
    if (block !== this.#fromDisk) this.#leaveDisk();
    const bytes = this.#object.readDisk(block, block !== this.#ahead.block, end >= start + length);
    if (bytes === undefined) return undefined;
    this.#fromDisk = block;
    this.#leaveBypass();
    this.#came(block, end, 'disk');
    return bytes.subarray(offset - start, Math.min(length, end - start));
  }

  gather(pieces: Pieces, at: number, end: number, target: Uint8Array): number {
    // What streams past the cache is read piece by piece.
    if (this.#bypass !== undefined) return 0;
    const { id, size, loader } = this.#object;
    const count = loader.tier.gather(id, this.#ahead.block, pieces, at, target);
    if (count === 0) return 0;
    const [first, last] = [blockOf(placeOf(pieces, at)), blockOf(placeOf(pieces, at + count - 1))];
    const found = loader.tier.gatheredOf < blockLength(size, last) ? 'collapsed' : 'memory';
    this.#came(first, end, first === last ? found : 'memory');
    if (last > first) this.#came(last, end, found, last - first);
    return count;
  }

  layOut(offset: number, end: number, most: number): number {
    const { id, size, loader } = this.#object;
    const { tier } = loader;
    if (this.#bypass !== undefined || tier.layOut === undefined) return 0;
    const block = blockOf(offset);
    const count = tier.layOut(id, block, offset - block * BLOCK_SIZE, most, block !== this.#ahead.block);
    if (count === 0) return 0;
    const last = blockOf(offset + count - 1);
    const found = tier.gatheredOf < blockLength(size, last) ? 'collapsed' : 'memory';
    this.#laidFrom = offset;
    this.#laidEnd = end;
    this.#laidLast = last;
    this.#laidFound = found;
    this.#came(block, end, last === block ? found : 'memory');
    return count;
  }

  release(taken = 0): void {
    if (this.#laidFrom >= 0) this.#letGo(taken);
    if (!this.#pinned) return;
    this.#pinned = false;
    this.#object.loader.tier.release();
  }

  #letGo(taken: number): void {
    const from = this.#laidFrom;
    this.#laidFrom = -1;
    this.#object.loader.tier.letGo!(taken);
    const [first, last] = [blockOf(from), blockOf(from + taken - 1)];
    const found = last === this.#laidLast ? this.#laidFound : 'memory';
    if (last > first) this.#came(last, this.#laidEnd, found, last - first);
  }

  want(offset: number, end: number, listener: ReaderListener): void {
    this.#unwait();
    if (this.#closed) return;
    this.wanted = offset;
    this.#stuckSince = 0;
    this.#listener = listener;
    this.#ahead.want(offset, end);
    this.#register();
    this.#look(true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwait();
    this.release();
    this.#leaveBypass();
    this.#leaveDisk();
    const { block, end, isAtEnd } = this.#ahead;
    const { id, loader } = this.#object;
    // Who has read all that it asked for may ask for what follows, but not past the object's end.
    if (block >= 0 && !isAtEnd) loader.tier.leave(id, block);
    else if (block >= 0 && end % BLOCK_SIZE === 0) loader.tier.finish(id, block);
    if (this.#registered) this.#object.withdraw(this);
  }

  /** End of the blocks that this reader wants from `block` on (exclusive); 0 when it has paused or does not want it. */
  wantedUpTo(block: number): number {
    const { block: last, upTo } = this.#ahead;
    const at = this.#listener === undefined ? last : blockOf(this.wanted);
    if (block < at || block >= upTo) return 0;
    return this.#listener === undefined && this.#ahead.paused ? 0 : upTo;
  }

  /** What was in flight brought the wanted byte or ended. */
  woken(): void {
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    if (inFlight === undefined || (inFlight instanceof DiskLoad && inFlight.isFound)) this.#tell();
    else this.#look(false);
  }

  failed(error: unknown): void {
    this.#inFlight = undefined;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.failed(error);
  }

  blockChanged(): void {
    this.#tierBlock = -1;
    if (this.#listener !== undefined) this.#look(false);
  }

  #register(): void {
    if (this.#registered) return;
    this.#registered = true;
    this.#object.demand(this);
  }

  #tell(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#ahead.touch();
    listener?.readable();
  }

  /** Looks for the wanted byte; whoever wakes readers must hear of no defect, or others would not be woken. */
  #look(within: boolean): void {
    try {
      this.#find(within);
    } catch (error) {
      if (within) throw error;
      this.failed(error);
    }
  }

  /**
   * Finds the wanted byte or sets about having it brought. `within` is true inside `want`, which must not call the
   * listener.
   */
  #find(within: boolean): void {
    const object = this.#object;
    const block = blockOf(this.wanted);
    if (this.#bypass?.want(this.wanted, this)) {
      this.#goes('bypass', block);
      return;
    }
    this.#leaveBypass();
    const { tier } = object.loader;
    const readable = tier.acquire(object.id, block, false);
    if (readable !== ABSENT) tier.release();
    if (readable > this.wanted - block * BLOCK_SIZE) {
      if (within) this.#lookAgain();
      else this.#tell();
      return;
    }
    const { refusal } = object;
    if (refusal !== undefined) {
      if (within) this.#lookAgain();
      else this.failed(refusal);
      return;
    }
    if (!object.object.cacheable) {
      this.#goPast(this.#ahead.end);
      return;
    }
    const inFlight = object.inFlightOf(block);
    const brought = inFlight ?? object.bring(block, this.#ahead.upTo, this.asker);
    if (brought === 'following') {
      this.#goes('collapsed', block);
      this.#tierBlock = block;
      tier.waitFor(object.id, block, Math.max(0, readable), this);
    } else if (brought === 'full') {
      this.#goWithoutRoom(block, within);
    } else if (brought === 'present' || brought === 'lost') {
      this.#lookAgain();
    } else {
      this.#goes(brought.kind === 'disk' ? 'disk' : inFlight === undefined ? 'miss' : 'collapsed', block);
      this.#inFlight = brought;
      brought.join(this);
    }
  }

  #lookAgain(): void {
    const { wanted } = this;
    const listener = this.#listener;
    queueMicrotask(() => {
      if (this.#listener === listener && listener !== undefined && this.wanted === wanted) this.#look(false);
    });
  }

  /** There is no room for a fill of `block`, or its filler stalls. */
  #goWithoutRoom(block: number, within: boolean): void {
    const { loader, mayBypass } = this.#object;
    if (mayBypass) {
      this.#goPast(Math.min(this.#ahead.end, (block + loader.maxRun) * BLOCK_SIZE));
      return;
    }
    const now = performance.now();
    this.#stuckSince ||= now;
    if (now - this.#stuckSince > ROOM_TIMEOUT && !within) {
      this.failed(
        new EdgeError('overloaded', 'the cache has no room for more files at once: ask again', { retryAfter: 5 }),
      );
      return;
    }
    this.#inFlight = loader.room;
    loader.room.join(this);
  }

  #goPast(end: number): void {
    this.#goes('bypass', blockOf(this.wanted));
    const stream = this.#object.bypassStream(this.wanted, end, this.asker);
    stream.want(this.wanted, this);
    this.#bypass = stream;
  }

  #leaveBypass(): void {
    this.#bypass?.close();
    this.#bypass = undefined;
  }

  #leaveDisk(): void {
    if (this.#fromDisk >= 0) this.#object.loader.disk?.done(this.#object.id, this.#fromDisk);
    this.#fromDisk = -1;
  }

  #goes(way: Way, block: number): void {
    if (block !== this.#wayBlock || SLOWNESS[way] > SLOWNESS[this.#way]) this.#way = way;
    this.#wayBlock = block;
  }

  /** Stops waiting; the listener will hear nothing. */
  #unwait(): void {
    this.#listener = undefined;
    this.#inFlight?.leave(this);
    this.#inFlight = undefined;
    if (this.#tierBlock < 0) return;
    this.#object.loader.tier.cancelWait(this.#object.id, this.#tierBlock, this);
    this.#tierBlock = -1;
  }

  /**
   * Bytes of `block` were read, come by in the way `found` unless it was wanted before; with the `count - 1` blocks
   * before it, which were in memory.
   */
  #came(block: number, end: number, found: CacheOutcome, count = 1): void {
    if (block === this.#ahead.block) {
      if (this.#registered) this.#ahead.touch();
      return;
    }
    const { stats } = this.#object.loader;
    stats.memoryLookups += count - 1;
    this.outcome = block === this.#wayBlock ? this.#way : found;
    if (this.outcome === 'memory') stats.memoryLookups++;
    else if (this.outcome === 'disk') stats.diskLookups++;
    else stats.originLookups++;
    const first = this.#ahead.block < 0;
    this.#ahead.advance(block, end, count);
    if (!first && this.#looksAhead && this.#ahead.due) this.#ahead.bring(() => this.#register());
  }
}
