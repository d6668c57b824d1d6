/**
 * The socket's side of one response, as far as delivery needs it; a uWebSockets.js `HttpResponse` is one.
 * Nothing may be called after `tryEnd` has said that the response is complete, nor after the client has left.
 */
export interface Transport {
  /**
   * Gives the socket body bytes, copied at once; status and fields go before the first. Never with an empty chunk.
   * @param total bytes of the whole body, the same at every call
   * @returns whether the socket took the whole chunk, and whether the response is complete
   */
  tryEnd(chunk: Uint8Array, total: number): [taken: boolean, complete: boolean];
  /** Bytes of the body that the socket has taken. */
  getWriteOffset(): number;
  /** Bytes of a body of unknown size, in chunked coding. What the socket does not take is buffered; false says so. */
  write(chunk: Uint8Array): boolean;
  /** Ends a body of unknown size. */
  end(): unknown;
  /**
   * Runs `turn` at once; what it writes goes out as one. Bytes, up to 16 KiB, that the socket refuses then are buffered
   * and nobody is told; they go out with the next write, or at the end of the next cork. Bytes may be written within
   * `turn`.
   */
  cork(turn: () => void): unknown;
  /** Stops reading from the socket. A paused socket does not notice that its client has left. */
  pause(): void;
  /** Reads from the socket again, and arms its ten-second timer afresh. */
  resume(): void;
  /** Cuts the connection; the abort handler runs within this call. */
  close(): unknown;
  /**
   * Calls `handler` when the socket can take bytes again after it refused some. Registering is for good. Bytes may be
   * written within `handler`.
   */
  onWritable(handler: () => boolean): unknown;
}
