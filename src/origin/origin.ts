import type { EdgeError } from '../base/errors.js';
import type { Askers } from './askers.js';

/** What tells one version of an object from another, as the origin sent it (RFC 9110 section 8.8). */
export interface Validator {
  /** Entity tag with quotes, `W/` kept; undefined when the origin sent none. */
  readonly etag: string | undefined;
  /** Last-Modified as the origin sent it; undefined when it sent none. */
  readonly lastModified: string | undefined;
}

/** One fetch from an origin. */
export interface OriginRequest {
  /** Absolute path, percent-encoded, without dot segments, starting with '/'; checked by the HTTP stage. */
  readonly path: string;
  /** Query string without '?'; empty when there is none. */
  readonly query: string;
  /** Bytes `[start, end)` of the object; undefined for the whole. `end` may lie past the end of the object. */
  readonly range: { readonly start: number; readonly end: number } | undefined;
  /**
   * `same`: the bytes are only of use when the object still has this validator (If-Match or If-Range); any other
   * version fails with `object_changed`. `changed`: the body is only wanted when the validator differs (If-None-Match,
   * If-Modified-Since); an answer of status 304 says that it does not.
   */
  readonly condition: { readonly kind: 'same' | 'changed'; readonly validator: Validator } | undefined;
  /** Fields of the player's request that are passed on (Authorization, those that Vary names); names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  /** For whom it is made: an origin that is busy takes turns among clients. */
  readonly askers: Askers;
}

/** Head of an origin's answer. */
export interface OriginAnswer {
  /** 304 only for a `changed` condition; 200 and 206 alike bring bytes from `offset` on. */
  readonly status: 200 | 206 | 304;
  /** First byte of the body within the object: the range's start for a 206, 0 for an origin that ignores Range. */
  readonly offset: number;
  /** Bytes of the body that follows; undefined when the origin does not say. */
  readonly length: number | undefined;
  /** Bytes of the whole object; undefined when the origin does not say. */
  readonly size: number | undefined;
  /** Validator of what is being sent. */
  readonly validator: Validator;
  /** All fields of the answer, names in lower case, repeated fields joined with ', '; without hop-by-hop fields. */
  readonly fields: Readonly<Record<string, string>>;
  /** Milliseconds since 1970 at which the request was sent and the head came, for the age of RFC 9111 section 4.2.3. */
  readonly requestTime: number;
  readonly responseTime: number;
  /**
   * True when only the end of the connection tells the end of the body (RFC 9112 section 6.3): a body that was cut
   * looks whole, so it may be streamed to a player but is not fit for storing.
   */
  readonly unframed?: boolean;
}

/**
 * Takes a fetch's events, all from the event loop: `answered` once, then `bytes` any number of times, then `ended`; or
 * `failed` at any point, and nothing after it. Retries and fail-over happen behind it: bytes are contiguous and of one
 * version.
 */
export interface OriginSink {
  answered(answer: OriginAnswer): void;
  /** At least one byte. The chunk must be used or copied before returning. */
  bytes(chunk: Uint8Array): void;
  /**
   * Reads the next bytes from a socket to where they are kept; the same bytes then come by `bytes`. Left out, and
   * undefined, where they are to come by `bytes` alone. See `BlockFill.receive`.
   * @param socket its descriptor
   * @param most bytes
   */
  receive?(socket: number, most: number): Uint8Array | undefined;
  /** The body is complete: exactly `length` bytes where that was said. */
  ended(): void;
  /** `answer` is the refusing head (404, 503 …) when there was one, for negative caching. */
  failed(error: EdgeError, answer?: RefusedAnswer): void;
}

/** Head of an answer that brings no object. */
export interface RefusedAnswer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  /** From a 416's Content-Range: bytes of the whole object. */
  readonly size: number | undefined;
  /** At most 64 KiB; undefined when there was more, or it did not come whole. */
  readonly body?: Uint8Array | undefined;
}

/** A fetch under way. */
export interface OriginFetch {
  /** Stops the flow of bytes (the socket's window fills up); the stall timeout does not run meanwhile. */
  pause(): void;
  resume(): void;
  /** Ends the fetch; the sink hears nothing more. May be called at any time, also from within the sink. */
  cancel(): void;
}

/** A place where objects come from: a directory, HTTP servers, an S3 bucket, later another edge. */
export interface Origin {
  /** Name for logs, metrics and cache keys; unique in the configuration. */
  readonly name: string;
  /** Starts a fetch. The sink is never called from within this call. */
  fetch(request: OriginRequest, sink: OriginSink): OriginFetch;
  /** Closes idle connections; fetches under way end with `origin_unavailable`. */
  close(): Promise<void>;
}
