import { BLOCK_SIZE, blockOf, type ObjectId } from '../base/block.js';
import { EdgeError } from '../base/errors.js';
import { ABSENT, type MemoryTier } from '../cache/memory/memory-tier.js';
import type { OriginFetch, OriginSink } from '../origin/origin.js';
import type { OpenStream, StreamHandle, StreamSink } from './content.js';

/** Most bytes that go to a player at once. */
const PIECE = 64 * 1024;
/** How far the fetch runs ahead of the foremost player once it is past its bound, in bytes. */
const AHEAD = 4 * BLOCK_SIZE;
/** Blocks that are held in this process when the tier has no room for them, before the fetch is paused. */
const HELD_MAX = 4;

/** What an `UnsizedFill` is made with. */
export interface UnsizedFillOptions {
  readonly tier: MemoryTier;
  readonly id: ObjectId;
  readonly contentType: string;
  readonly fields: OpenStream['fields'];
  /** Bytes that are fetched while nobody reads them; past these only what players read on. */
  readonly bound: number;
  /** Told when all bytes have come and are in the tier. */
  complete(size: number): void;
  /** Told once when nobody can join any more. */
  closed(): void;
}

/**
 * One fetch of a body whose size is known at its end only: goes into the memory tier block by block, and from there to
 * every player that joins, each at its own pace. While nobody reads it goes on to its bound, so that the object becomes
 * one whose size is known. A player whose block has been evicted before it came there is cut.
 */
export class UnsizedFill implements OriginSink {
  /** The fetch that feeds it; set before any of its events. */
  fetch!: OriginFetch;
  readonly options: UnsizedFillOptions;
  readonly #readers = new Set<UnsizedReader>();
  /**
   * The block that is coming: only a whole block may be claimed, and the length of the last one is known at the end.
   */
  #buffer = new Uint8Array(BLOCK_SIZE);
  #block = 0;
  #filled = 0;
  /** Blocks that found no room in the tier, by number. */
  readonly #held = new Map<number, Uint8Array>();
  /** A block is neither in the tier nor held: nobody may join any more, and the object is not kept. */
  #incomplete = false;
  #closed = false;
  #end: 'whole' | EdgeError | undefined;

  constructor(options: UnsizedFillOptions) {
    this.options = options;
  }

  /** Bytes that have come. */
  get position(): number {
    return this.#block * BLOCK_SIZE + this.#filled;
  }

  /** How it ended: whole, or by an error; undefined while it goes on. */
  get end(): 'whole' | EdgeError | undefined {
    return this.#end;
  }

  /** A player's stream from the first byte on; undefined when those are gone. */
  join(): OpenStream | undefined {
    if (this.#closed) return undefined;
    if (this.#block > 0 && !this.#held.has(0) && !this.options.tier.has(this.options.id, 0)) return undefined;
    const reader = new UnsizedReader(this);
    this.#readers.add(reader);
    return reader;
  }

  /** @internal a player is gone */
  leave(reader: UnsizedReader): void {
    if (this.#readers.delete(reader)) this.regulate();
  }

  answered(): void {}

  bytes(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(chunk.length - at, BLOCK_SIZE - this.#filled);
      this.#buffer.set(chunk.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === BLOCK_SIZE) this.#keep();
    }
    this.#flow();
  }

  ended(): void {
    if (this.#end !== undefined) return;
    const size = this.position;
    if (this.#filled > 0) this.#keep();
    this.#end = 'whole';
    if (this.#held.size > 0) this.#incomplete = true;
    if (!this.#incomplete) this.options.complete(size);
    this.#over(size);
  }

  failed(error: EdgeError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#over(this.position);
  }

  /** Calls `use` with bytes from `offset` on, which are valid until it returns; false when none are there. */
  read(offset: number, use: (bytes: Uint8Array) => void): boolean {
    const block = blockOf(offset);
    const from = offset - block * BLOCK_SIZE;
    const bytes = this.#held.get(block) ?? (block === this.#block ? this.#buffer.subarray(0, this.#filled) : undefined);
    if (bytes !== undefined) {
      use(bytes.subarray(from, from + PIECE));
      return true;
    }
    const { tier, id } = this.options;
    const readable = tier.acquire(id, block, false);
    if (readable === ABSENT) return false;
    try {
      if (readable <= from) return false;
      use(tier.view(from, Math.min(readable, from + PIECE)));
      return true;
    } finally {
      tier.release();
    }
  }

  /** Resumes or pauses the fetch by where its players are; ends it when nobody needs the bytes to come. */
  regulate(): void {
    if (this.#end !== undefined) return;
    const { bound } = this.options;
    let [foremost, hindmost] = [0, Number.POSITIVE_INFINITY];
    for (const { position } of this.#readers) {
      foremost = Math.max(foremost, position);
      hindmost = Math.min(hindmost, position);
    }
    for (const block of this.#held.keys()) {
      if ((block + 1) * BLOCK_SIZE > hindmost) continue;
      this.#held.delete(block);
      this.#incomplete = true;
    }
    const isNeeded = this.#readers.size > 0 || (!this.#incomplete && this.#held.size === 0 && this.position < bound);
    if (!isNeeded) {
      this.fetch.cancel();
      this.#end = new EdgeError('overloaded', 'nobody reads it any more');
      this.#over(this.position);
      return;
    }
    if (this.#incomplete || this.position >= bound) this.#close();
    const waits = this.#held.size >= HELD_MAX || (this.position >= bound && this.position - foremost > AHEAD);
    if (waits) this.fetch.pause();
    else this.fetch.resume();
  }

  /** The block at hand has come. */
  #keep(): void {
    const { tier, id, bound } = this.options;
    const bytes = this.#buffer.subarray(0, this.#filled);
    // Past the bound a single player has taken a block before the next one comes: it need not be stored.
    const passes = this.position > bound && this.#readers.size <= 1;
    const claim = passes ? 'full' : tier.claim(id, this.#block, bytes.length);
    if (typeof claim === 'object') {
      claim.append(claim.watermark === 0 ? bytes : bytes.subarray(claim.watermark));
    } else if (claim !== 'present') {
      this.#held.set(this.#block, bytes);
      this.#buffer = new Uint8Array(BLOCK_SIZE);
    }
    this.#block++;
    this.#filled = 0;
  }

  #flow(): void {
    for (const reader of [...this.#readers]) reader.flow();
    this.regulate();
  }

  #over(size: number): void {
    this.#close();
    for (const reader of [...this.#readers]) reader.fillEnded(size);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.options.closed();
  }
}

/** One player of an `UnsizedFill`. */
class UnsizedReader implements OpenStream, StreamHandle {
  readonly kind = 'stream';
  /** Bytes that the player has taken. */
  position = 0;
  readonly #fill: UnsizedFill;
  #sink: StreamSink | undefined;
  #flowing = false;
  #over = false;
  /** Bytes of the whole body, once its end has come. */
  #size: number | undefined;

  constructor(fill: UnsizedFill) {
    this.#fill = fill;
  }

  get contentType(): string {
    return this.#fill.options.contentType;
  }

  get fields(): OpenStream['fields'] {
    return this.#fill.options.fields;
  }

  start(sink: StreamSink): StreamHandle {
    this.#sink = sink;
    queueMicrotask(() => this.resume());
    return this;
  }

  resume(): void {
    if (this.#flowing) return;
    this.#flowing = true;
    this.flow();
    if (!this.#over) this.#fill.regulate();
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#fill.leave(this);
  }

  release(): void {
    if (this.#sink === undefined) this.cancel();
  }

  /** The fetch is over: `size` bytes have come. */
  fillEnded(size: number): void {
    this.#size = size;
    this.flow();
  }

  /** Gives the player what has come, until it takes no more. */
  flow(): void {
    while (this.#flowing && !this.#over) {
      const end = this.#size ?? this.#fill.position;
      if (this.position >= end) {
        if (this.#size !== undefined) this.#finish(this.#fill.end!);
        return;
      }
      const found = this.#fill.read(this.position, bytes => {
        this.position += bytes.length;
        this.#flowing = this.#sink!.bytes(bytes);
      });
      if (!found) this.#finish(new EdgeError('overloaded', 'the cache had no room for what this player had not read'));
    }
  }

  #finish(end: 'whole' | EdgeError): void {
    this.#over = true;
    this.#fill.leave(this);
    if (end === 'whole') this.#sink!.ended();
    else this.#sink!.failed(end);
  }
}
