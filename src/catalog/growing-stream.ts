import { BLOCK_SIZE, type ObjectId } from '../base/block.js';
import type { EdgeError } from '../base/errors.js';
import type { MemoryTier } from '../cache/memory/memory-tier.js';
import type { OriginFetch, OriginSink } from '../origin/origin.js';
import type { OpenStream, StreamHandle, StreamSink } from './content.js';

/** Puts a body whose size is not known into the memory tier, block by block, as it passes by. */
export class BlockKeeper {
  readonly #tier: MemoryTier;
  readonly #id: ObjectId;
  readonly #complete: (size: number) => void;
  #buffer: Uint8Array | undefined;
  #filled = 0;
  #block = 0;

  /** @param complete told the size when the whole body has passed */
  constructor(tier: MemoryTier, id: ObjectId, complete: (size: number) => void) {
    this.#tier = tier;
    this.#id = id;
    this.#complete = complete;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      this.#buffer ??= new Uint8Array(BLOCK_SIZE);
      const take = Math.min(chunk.length - at, BLOCK_SIZE - this.#filled);
      this.#buffer.set(chunk.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === BLOCK_SIZE) this.#keep(this.#buffer);
    }
  }

  end(): void {
    const size = this.#block * BLOCK_SIZE + this.#filled;
    if (this.#filled > 0) this.#keep(this.#buffer!.subarray(0, this.#filled));
    this.#complete(size);
  }

  /**
   * Only a block's whole length may be claimed, and that of the last one is known at the end: so blocks are kept when
   * they are whole.
   */
  #keep(bytes: Uint8Array): void {
    const claim = this.#tier.claim(this.#id, this.#block, bytes.length);
    if (typeof claim === 'object') claim.append(claim.watermark === 0 ? bytes : bytes.subarray(claim.watermark));
    this.#block++;
    this.#filled = 0;
  }
}

/**
 * A body whose size is known at its end only: goes to one player, with back-pressure to the origin, and past a keeper.
 */
export class GrowingStream implements OpenStream, OriginSink, StreamHandle {
  readonly kind = 'stream';
  readonly #fetch: OriginFetch;
  readonly #keeper: BlockKeeper | undefined;
  /** What came while nobody took it: before the start, or in the moment that the fetch takes to pause. */
  #held: Uint8Array[] = [];
  #sink: StreamSink | undefined;
  #flowing = false;
  #end: 'whole' | EdgeError | undefined;
  #over = false;

  constructor(
    readonly contentType: string,
    readonly fields: OpenStream['fields'],
    fetch: OriginFetch,
    keeper: BlockKeeper | undefined,
  ) {
    this.#fetch = fetch;
    this.#keeper = keeper;
  }

  start(sink: StreamSink): StreamHandle {
    this.#sink = sink;
    queueMicrotask(() => this.resume());
    return this;
  }

  resume(): void {
    if (this.#over || this.#flowing) return;
    this.#flowing = true;
    while (this.#flowing && this.#held.length > 0) this.#flowing = this.#sink!.bytes(this.#held.shift()!);
    if (!this.#flowing || this.#over) return;
    if (this.#end !== undefined) this.#finish(this.#end);
    else this.#fetch.resume();
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    if (this.#end === undefined) this.#fetch.cancel();
  }

  release(): void {
    if (this.#sink === undefined) this.cancel();
  }

  answered(): void {}

  bytes(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#keeper?.push(chunk);
    if (this.#flowing) {
      this.#flowing = this.#sink!.bytes(chunk);
      if (!this.#flowing && !this.#over) this.#fetch.pause();
      return;
    }
    this.#held.push(new Uint8Array(chunk));
    this.#fetch.pause();
  }

  ended(): void {
    if (this.#over) return;
    this.#keeper?.end();
    if (this.#flowing) this.#finish('whole');
    else this.#end = 'whole';
  }

  failed(error: EdgeError): void {
    if (this.#over) return;
    if (this.#flowing) this.#finish(error);
    else this.#end = error;
  }

  #finish(end: 'whole' | EdgeError): void {
    this.#over = true;
    if (end === 'whole') this.#sink!.ended();
    else this.#sink!.failed(end);
  }
}
