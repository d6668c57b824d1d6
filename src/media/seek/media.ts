import type { ByteSource } from '../../base/byte-source.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import type { Seek } from './seek.js';

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

/**
 * Makes virtual files of objects, in the way of the format that their first bytes tell. Both answer at once when
 * everything needed is at hand, and undefined when the plain file is the answer.
 */
export interface MediaPlanner {
  /**
   * The virtual file that begins and ends where `seek` says; the plain file when the object is no media file.
   * @throws EdgeError (or rejects with one) `unplayable`, `media_too_large`, `range_not_satisfiable` (start past the
   * end; the duration is in the message), and whatever the source throws
   */
  seek(object: MediaObject, seek: Seek): VirtualFile | undefined | Promise<VirtualFile | undefined>;
  /**
   * The whole object in an order fit for streaming; the plain file when it has that order, or can't be given it: a
   * request for the whole never fails because of what is in it.
   * @throws (or rejects with) nothing that is an EdgeError
   */
  whole(object: MediaObject): VirtualFile | undefined | Promise<VirtualFile | undefined>;
  /**
   * Bytes a second of the film; undefined when it is none, or none that can be read.
   * @throws (or rejects with) whatever the source throws
   */
  bitrate?(object: MediaObject): number | undefined | Promise<number | undefined>;
}
