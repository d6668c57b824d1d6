import type { Asker } from '../base/asker.js';
import type { ObjectId } from '../base/block.js';
import type { ByteSource } from '../base/byte-source.js';
import type { CacheOutcome } from '../base/cache-outcome.js';
import type { BlockReader } from '../cache/read/block-reader.js';
import type { StoredObject } from './stored-object.js';

/** What a player asks for, checked, and without the parameters that are the edge's own. */
export interface ContentRequest {
  /** Host field without port, in lower case; chooses the origin together with the path. */
  readonly host: string;
  /** Normalised percent-encoded path starting with '/'. */
  readonly path: string;
  /**
   * Query string without '?', without parameters of views and the names that the configuration drops; empty when
   * nothing is left.
   */
  readonly query: string;
  /** Parameters of the query that let the player in, which URLs that an answer names must bear; '' when left out. */
  readonly tokens?: string;
  /**
   * First byte that the player is about to read and the end of what it means to read, as far as its Range tells;
   * guesses for the first fetch.
   */
  readonly hint: { readonly start: number; readonly end: number };
  /** For whom an origin is asked. */
  readonly asker: Asker;
  /** Nothing is to be asked of an origin before it is answered; false when left out. */
  readonly cachedOnly?: boolean;
  /**
   * One field of the player's request by lower-case name, one character for each octet, '' when absent. Only valid
   * until `open` returns or its promise settles.
   * @throws EdgeError `bad_request` when its octets can't be told
   */
  field(name: string): string;
}

/** An object that can be answered from. */
export interface OpenObject {
  readonly kind: 'object';
  readonly object: StoredObject;
  /** Seconds since the origin vouched for it (RFC 9111 section 4.2.3), for Age. */
  readonly age: number;
  /**
   * Overrules the reader's outcome in Cache-Status when the head, not the block, decided (`stale`, `revalidated`,
   * `bypass`); undefined otherwise.
   */
  readonly outcome: CacheOutcome | undefined;
  /** A reader for the player; the caller closes it. */
  reader(): BlockReader;
  /** Random reads for the media stage. */
  source(): ByteSource;
  /** End of the bytes that are cached here from `start` on without a gap; at most `end`. */
  cachedUpTo(start: number, end: number): number;
  /** By what answers from memory may go on without opening it again; undefined, or left out, where they may not. */
  standing?(): Standing | undefined;
  /**
   * Must be called when the answer has been begun or given up, so that a first fetch that nobody reads on from can
   * stop.
   */
  release(): void;
}

/** How long what is known of an object stands, which can be answered from memory meanwhile without being opened. */
export interface Standing {
  /** Of its blocks. */
  readonly id: ObjectId;
  /** Milliseconds since 1970: when the origin vouched for it, and until when it is fresh. */
  readonly vouched: number;
  readonly until: number;
  /** Shared counters with their values; once one has moved something else may be known. */
  readonly entry: readonly [counter: number, value: number];
  readonly purges: readonly [counter: number, value: number];
}

/**
 * A body of unknown size: it can be streamed to this player only, and is kept for later requests when its end has come.
 */
export interface OpenStream {
  readonly kind: 'stream';
  readonly contentType: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /**
   * Starts the flow. `bytes` returns false to pause; `resume` goes on. Ends with `ended` or `failed`. Returns the
   * handle that stops it.
   */
  start(sink: StreamSink): StreamHandle;
  release(): void;
}

/** Takes the bytes of a body of unknown size. */
export interface StreamSink {
  /** The chunk must be used or copied before returning. False pauses the flow. */
  bytes(chunk: Uint8Array): boolean;
  ended(): void;
  failed(error: unknown): void;
}

/** A body of unknown size under way. */
export interface StreamHandle {
  resume(): void;
  cancel(): void;
}

/** What the HTTP stage sees of everything behind it. */
export interface Content {
  /**
   * Finds the object behind a request: at once when its head is cached and fresh, otherwise when the origin has
   * answered.
   * @throws EdgeError (or rejects with one): `not_found`, `forbidden`, `gone`, `origin_*`, `overloaded`,
   *   `only_if_cached`
   */
  open(request: ContentRequest): OpenObject | OpenStream | Promise<OpenObject | OpenStream>;
  /** So many requests were answered by what stands, without `open`. */
  answered?(count: number): void;
  /** Name of the origin that a request would go to, for logs; undefined where there is none, or it is not known. */
  originOf?(host: string, path: string): string | undefined;
}
