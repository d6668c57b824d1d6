import { BLOCK_SIZE, blockOf } from '../../base/block.js';
import { asEdgeError, type EdgeError } from '../../base/errors.js';
import type { Askers } from '../../origin/askers.js';
import type { OriginAnswer, OriginFetch, OriginSink } from '../../origin/origin.js';
import { expectBody, versionGone, wrongLength } from './body-check.js';
import type { Bypass } from './bypass.js';
import type { FetchHost } from './fetch-host.js';
import type { Waiter } from './waiters.js';

/**
 * An origin fetch that goes past the cache to one reader: for objects that must not be stored, when there is no room
 * for another fill, and when a filler stalls. Sequential; offers each chunk from the buffer in which it came, and what
 * is not read at once it holds, with the fetch paused until that has been read.
 */
export class BypassStream implements OriginSink, Bypass {
  readonly outcome = 'bypass';
  readonly #object: FetchHost;
  readonly #askers: Askers;
  /** The body ends before this offset. */
  #end: number;
  #fetch: OriginFetch | undefined;
  /** What has come and was not read: more than one chunk only when the fetch takes a moment to pause. */
  #chunks: Uint8Array[] = [];
  /** Offset of the first byte held, and of the next one that comes. */
  #position: number;
  #arrived: number;
  /** Bytes before this offset are of no use. */
  #from: number;
  #waiter: Waiter | undefined;
  #error: EdgeError | undefined;
  #ended = false;

  /** @param askers for whom it is made */
  constructor(object: FetchHost, start: number, end: number, askers: Askers) {
    this.#object = object;
    this.#askers = askers;
    this.#end = Math.min(end, object.size);
    this.#position = start;
    this.#arrived = start;
    this.#from = start;
  }

  /** Sends the request. */
  begin(): void {
    this.#object.loader.stats.bypassStreams++;
    this.#fetch = this.#object.fetch(this.#position, this.#end, this, this.#askers);
  }

  /** Goes on with a fetch whose head has come already and whose body begins at the start. */
  adopt(fetch: OriginFetch): void {
    this.#object.loader.stats.bypassStreams++;
    this.#fetch = fetch;
  }

  view(offset: number, end: number): Uint8Array | undefined {
    this.#drop(offset);
    const chunk = this.#chunks[0];
    if (chunk === undefined || offset < this.#position) return undefined;
    const blockEnd = (blockOf(offset) + 1) * BLOCK_SIZE;
    return chunk.subarray(offset - this.#position, Math.min(end, blockEnd) - this.#position);
  }

  want(offset: number, waiter: Waiter): boolean {
    if (offset < this.#position || offset >= this.#end || offset > this.#arrived + BLOCK_SIZE) return false;
    this.#drop(offset);
    this.#from = Math.max(this.#from, offset);
    this.#waiter = waiter;
    if (this.#error !== undefined || this.#chunks.length > 0) queueMicrotask(() => this.#tell());
    else this.#fetch?.resume();
    return true;
  }

  close(): void {
    this.#ended = true;
    this.#waiter = undefined;
    this.#chunks = [];
    // What has come whole ends by itself, and its connection is used again.
    if (this.#arrived < this.#end) this.#fetch?.cancel();
    else this.#fetch?.resume();
    this.#object.bypassEnded(this);
  }

  answered(answer: OriginAnswer): void {
    if (this.#ended) return;
    try {
      expectBody(answer, this.#object.object, this.#arrived);
    } catch (error) {
      this.failed(asEdgeError(error));
      return;
    }
    if (answer.status === 200) {
      this.#position = 0;
      this.#arrived = 0;
      this.#end = this.#object.size;
    }
  }

  bytes(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (chunk.length > this.#end - this.#arrived) {
      this.failed(wrongLength(this.#object.object, 'longer'));
      return;
    }
    this.#arrived += chunk.length;
    if (this.#arrived <= this.#from) {
      this.#position = this.#arrived;
      return;
    }
    if (this.#chunks.length === 0) this.#position = this.#arrived - chunk.length;
    this.#chunks.push(chunk);
    this.#tell();
    // Only what the reader did not take at once is kept.
    const left = this.#chunks.indexOf(chunk);
    if (left < 0 || this.#ended) return;
    this.#chunks[left] = new Uint8Array(chunk);
    this.#fetch?.pause();
  }

  ended(): void {
    this.#object.bypassEnded(this);
    if (!this.#ended && this.#arrived < this.#end) this.failed(wrongLength(this.#object.object, 'shorter'));
  }

  failed(error: EdgeError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#fetch?.cancel();
    this.#object.bypassEnded(this);
    if (error.code === 'object_changed') this.#object.originChanged(versionGone(this.#object.object));
    this.#tell();
  }

  /** Tells the waiter what there is: its byte, or that it will not come. */
  #tell(): void {
    const waiter = this.#waiter;
    if (waiter === undefined) return;
    if (this.#chunks.length > 0) {
      this.#waiter = undefined;
      waiter.woken();
    } else if (this.#error !== undefined) {
      this.#waiter = undefined;
      waiter.failed(this.#error);
    }
  }

  /** Forgets the chunks that end at or before `offset`. */
  #drop(offset: number): void {
    let chunk = this.#chunks[0];
    while (chunk !== undefined && this.#position + chunk.length <= offset) {
      this.#position += chunk.length;
      this.#chunks.shift();
      chunk = this.#chunks[0];
    }
  }
}
