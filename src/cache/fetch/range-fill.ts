import { BLOCK_SIZE, blockLength } from '../../base/block.js';
import { asEdgeError, type EdgeError } from '../../base/errors.js';
import type { Askers } from '../../origin/askers.js';
import { hasValidator } from '../../origin/fields.js';
import type { OriginAnswer, OriginFetch, OriginSink } from '../../origin/origin.js';
import type { BlockFill } from '../memory/memory-tier.js';
import { expectBody, lost, versionGone, wrongLength } from './body-check.js';
import type { FetchHost } from './fetch-host.js';
import { type InFlight, type Waiter, Waiters } from './waiters.js';

/**
 * Bytes of a run's first chunk that are stored, and those who wait for them woken, before the rest is: where so many
 * wait, all get their first bytes early.
 */
const FIRST_SHARE = 16 * 1024;
const MANY = 4;

/**
 * One origin request whose bytes go into block after block as they arrive. Blocks are claimed one ahead: the next one
 * before the last byte of the one at hand, so that no other process can begin to fetch what is already on its way here.
 * The run ends at its last block, where somebody else has or fills the next one, or where nobody wants more.
 */
export class RangeFill implements OriginSink, InFlight {
  readonly kind = 'origin';
  readonly #object: FetchHost;
  readonly #askers: Askers;
  readonly #first: number;
  readonly #waiters = new Waiters();
  #fetch: OriginFetch | undefined;
  /** Block that the next byte belongs to. */
  #block: number;
  /** The run ends before this block. */
  #end: number;
  /** Offset of the next byte that comes, and of the first one past the body. */
  #position: number;
  #bodyEnd: number;
  /**
   * Fill of the block at hand; undefined while bytes are passed over that an origin without ranges sends before the
   * wanted ones.
   */
  #fill: BlockFill | undefined;
  /** Offset from which on bytes are appended: those before it were there when the fill was taken over. */
  #appendFrom = 0;
  /** A block claimed ahead, and its number. */
  #held: BlockFill | undefined;
  #heldBlock = -1;
  #rangeless = false;
  /** The first bytes have come. */
  #shared = false;
  #ended = false;

  /**
   * @param first block to begin with, claimed as `fill`
   * @param end block to end before
   * @param askers for whom it is made
   */
  constructor(object: FetchHost, first: number, end: number, fill: BlockFill, askers: Askers) {
    this.#object = object;
    this.#askers = askers;
    this.#first = first;
    this.#block = first;
    this.#end = end;
    this.#take(fill);
    this.#position = this.#appendFrom;
    this.#bodyEnd = Math.min(end * BLOCK_SIZE, object.size);
  }

  /** Sends the request. */
  begin(): void {
    this.#object.loader.stats.runs++;
    this.#object.loader.running.add(this);
    this.#fetch = this.#object.fetch(this.#position, this.#bodyEnd, this, this.#askers);
  }

  /** Goes on with a fetch whose head has come already; its body begins at the first block. */
  adopt(fetch: OriginFetch, rangeless: boolean): void {
    this.#object.loader.stats.runs++;
    this.#object.loader.running.add(this);
    this.#fetch = fetch;
    this.#position = this.#first * BLOCK_SIZE;
    if (rangeless) this.#becomeRangeless();
  }

  /** True when the run has or will come to `block`. */
  covers(block: number): boolean {
    return block >= this.#block && block < this.#end;
  }

  /** True when `block` is better waited for than fetched by a request of its own. */
  soonAt(block: number): boolean {
    return this.covers(block) && (this.#rangeless || block - this.#block <= this.#object.loader.firstWindow);
  }

  /** Block before which the run ends. */
  get end(): number {
    return this.#end;
  }

  /** True in the last quarter, when it is time to ask for what comes behind it. */
  get nearEnd(): boolean {
    return this.#end - this.#block <= Math.max(1, (this.#end - this.#first) >> 2);
  }

  /** Makes the run end before `block`, which another request of this process is about to bring. */
  endBefore(block: number): void {
    if (!this.#rangeless) this.#end = Math.min(this.#end, block);
  }

  join(waiter: Waiter): void {
    if (!this.#shared) this.#askers.add(waiter.asker);
    this.#waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Ends the run here, because of `error`; the bytes that have come stay for the next filler. */
  stop(error: EdgeError): void {
    if (this.#ended) return;
    this.#fetch?.cancel();
    this.#finish(false);
    this.#waiters.failAll(error);
  }

  answered(answer: OriginAnswer): void {
    if (this.#ended) return;
    try {
      expectBody(answer, this.#object.object, this.#position);
    } catch (error) {
      this.#fail(asEdgeError(error));
      return;
    }
    if (answer.status === 200) {
      if (this.#position > 0) this.#startOver();
      this.#becomeRangeless();
      if (this.#fill === undefined && !this.#enter()) return;
    } else if (answer.length !== undefined) {
      // A server may send less of a range than was asked for (RFC 9110 section 15.3.7): the rest is asked for when this
      // has come.
      this.#bodyEnd = Math.min(this.#bodyEnd, this.#position + answer.length);
    }
    this.#askOn();
  }

  bytes(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (chunk.length > this.#bodyEnd - this.#position) {
      this.#fail(wrongLength(this.#object.object, 'longer'));
      return;
    }
    const first = this.#shared || this.#waiters.size < MANY ? chunk.length : FIRST_SHARE;
    this.#shared = true;
    this.#spread(first < chunk.length ? chunk.subarray(0, first) : chunk);
    if (first < chunk.length && !this.#ended) this.#spread(chunk.subarray(first));
  }

  receive(socket: number, most: number): Uint8Array | undefined {
    const fill = this.#fill;
    if (this.#ended || fill === undefined || this.#position < this.#appendFrom) return undefined;
    return fill.receive?.(socket, Math.min(most, this.#bodyEnd - this.#position));
  }

  /** Puts bytes into their blocks and wakes those who wait for them. */
  #spread(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      const blockEnd = Math.min((this.#block + 1) * BLOCK_SIZE, this.#object.size);
      const take = Math.min(chunk.length - at, blockEnd - this.#position);
      if (this.#position + take === blockEnd) this.#claimAhead();
      this.#append(chunk, at, take);
      at += take;
      this.#position += take;
      // The append may have woken somebody who stopped this run.
      if (this.#position === blockEnd && !this.#ended) this.#next();
    }
    if (!this.#ended) this.#waiters.wakeBefore(this.#position);
    else this.#waiters.wakeAll();
  }

  ended(): void {
    if (this.#ended) return;
    if (this.#position < this.#bodyEnd) this.#fail(wrongLength(this.#object.object, 'shorter'));
    else {
      this.#finish(false);
      this.#waiters.wakeAll();
    }
  }

  failed(error: EdgeError): void {
    if (!this.#ended) this.#fail(error);
  }

  #take(fill: BlockFill): void {
    this.#fill = fill;
    this.#appendFrom = this.#block * BLOCK_SIZE + fill.watermark;
    if (fill.watermark > 0) this.#object.loader.stats.takeovers++;
  }

  #append(chunk: Uint8Array, at: number, length: number): void {
    const fill = this.#fill;
    if (fill === undefined) return;
    const known = Math.max(0, this.#appendFrom - this.#position);
    if (known >= length) return;
    fill.append(known === 0 && length === chunk.length ? chunk : chunk.subarray(at + known, at + length));
    this.#object.loader.stats.filledBytes += length - known;
  }

  /** Claims the block behind the one at hand, which is about to become whole, when the run goes on to it. */
  #claimAhead(): void {
    const next = this.#block + 1;
    if (next >= this.#end || this.#held !== undefined || !this.#isDemanded(next)) return;
    const claim = this.#claim(next);
    if (claim === undefined) return;
    this.#held = claim;
    this.#heldBlock = next;
  }

  #claim(block: number): BlockFill | undefined {
    const claim = this.#object.loader.tier.claim(this.#object.id, block, blockLength(this.#object.size, block));
    return typeof claim === 'string' ? undefined : claim;
  }

  /** The block at hand is whole: goes on to the next one or ends. */
  #next(): void {
    this.#fill = undefined;
    this.#block++;
    if (this.#block >= this.#end || this.#position >= this.#bodyEnd) {
      if (this.#position < this.#bodyEnd) this.#fetch?.cancel();
      this.#finish(false);
    } else if (this.#enter()) this.#askOn();
  }

  /** Begins the block at `#block`. False when the run has ended instead. */
  #enter(): boolean {
    let fill = this.#heldBlock === this.#block ? this.#held : undefined;
    if (fill !== undefined) this.#held = undefined;
    const wanted = fill !== undefined || this.#isWanted();
    if (wanted) fill ??= this.#claim(this.#block);
    if (fill !== undefined) this.#take(fill);
    // Without ranges, bytes that are there already are passed over on the way to those that are not.
    if (fill !== undefined || (wanted && this.#rangeless)) return true;
    if (!wanted) this.#object.loader.stats.stoppedRuns++;
    this.#fetch?.cancel();
    this.#finish(false);
    return false;
  }

  /**
   * True when `block` is to be brought; of an object that comes in one fetch every block is, since no other can bring
   * it.
   */
  #isDemanded(block: number): boolean {
    return this.#object.object.oneFetch !== undefined || this.#object.demandFrom(block) > 0;
  }

  #isWanted(): boolean {
    if (this.#isDemanded(this.#block)) return true;
    return this.#rangeless && (this.#held !== undefined || this.#waiters.waitPast(this.#position));
  }

  /** Has what is wanted behind this run asked for, when it is time. */
  #askOn(): void {
    if (!this.nearEnd || this.#end >= this.#object.blocks) return;
    const wanted = this.#object.demandFrom(this.#end);
    if (wanted > 0) this.#object.bringAhead(this.#end, wanted, this.#askers.first);
  }

  /** The origin sends the whole object: everything up to its end is at hand while somebody wants it. */
  #becomeRangeless(): void {
    this.#rangeless = true;
    this.#end = this.#object.blocks;
    this.#bodyEnd = this.#object.size;
  }

  /** The bytes before the fill at hand come first; it is kept for when its own come. */
  #startOver(): void {
    this.#held = this.#fill;
    this.#heldBlock = this.#block;
    this.#fill = undefined;
    this.#position = 0;
    this.#block = 0;
  }

  #fail(error: EdgeError): void {
    this.#fetch?.cancel();
    this.#object.loader.stats.failedRuns++;
    const unsure = !hasValidator(this.#object.object.validator);
    this.#finish(unsure || error.code === 'origin_protocol' || error.code === 'object_changed');
    if (error.code === 'object_changed') this.#object.originChanged(versionGone(this.#object.object));
    this.#waiters.failAll(error);
  }

  #finish(discard: boolean): void {
    this.#ended = true;
    this.#object.fillEnded(this);
    this.#fill?.abandon(discard);
    this.#held?.abandon();
    this.#fill = undefined;
    this.#held = undefined;
    const { oneFetch } = this.#object.object;
    if (oneFetch === undefined) return;
    if (!discard && this.#position === this.#object.size) oneFetch.complete();
    else this.#object.originChanged(lost(this.#object.object));
  }
}
