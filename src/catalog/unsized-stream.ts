import type { EdgeError } from '../base/errors.js';
import type { OriginFetch, OriginSink } from '../origin/origin.js';
import type { OpenStream, StreamHandle, StreamSink } from './content.js';

/** A body of unknown size that must not be stored: goes to one player, with back-pressure to the origin. */
export class UnsizedStream implements OpenStream, OriginSink, StreamHandle {
  readonly kind = 'stream';
  readonly #fetch: OriginFetch;
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
  ) {
    this.#fetch = fetch;
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
