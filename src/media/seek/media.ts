import type { ByteSource } from '../../base/byte-source.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';

/** What the media stage must know of an object. */
export interface MediaObject {
  /** Unique for this version of this object; key of the compiled index. */
  readonly identity: string;
  /** Strong entity tag of the whole object, with quotes. */
  readonly etag: string;
  readonly lastModified: number | undefined;
  readonly contentType: string;
  readonly source: ByteSource;
}

/** Compiled indexes that outlive the process. */
export interface IndexStore {
  /** The bytes put under this identity and kind, or undefined; hostile, so the decoder checks them. */
  get(identity: string, kind: string): Uint8Array | undefined;
  put(identity: string, kind: string, bytes: Uint8Array): void;
}

/** Raw values of the query, as the player sent them; undefined when absent. */
export interface SeekQuery {
  readonly start: string | undefined;
  readonly end: string | undefined;
}

/**
 * Turns an object and a query into a virtual file. Implemented by `mp4/` and `flv/` and chosen by what the first bytes
 * are.
 */
export interface MediaPlanner {
  /**
   * The virtual file that answers `query`, or undefined when the plain file is the answer (no or ignored parameters,
   * not a media file). At once when everything needed is at hand.
   * @throws EdgeError (or rejects with one) `unplayable`, `media_too_large`, `range_not_satisfiable` (start past the
   * end; the duration is in the message), and whatever the source throws
   */
  plan(object: MediaObject, query: SeekQuery): VirtualFile | undefined | Promise<VirtualFile | undefined>;
}
