import type { ByteSource } from '../../base/byte-source.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import type { MediaObject } from './media.js';
import type { Seek } from './seek.js';

/** Where the answer to a seek begins. */
export interface Beginning {
  readonly second: number;
  /**
   * The answers to all seeks without an end for seconds `[second, until)` begin there too; `second` itself where that
   * is not known.
   */
  readonly until: number;
}

/**
 * One kind of media file that can be cut: progressive MP4, fragmented MP4, FLV. The planner knows formats only through
 * this; it caches what `compile` made, keeps `encode`'s bytes in the `IndexStore` and builds an index once for many
 * concurrent seeks.
 * @typeParam I the compiled index: immutable, small, and all that `plan` needs beside cached blocks of the object
 */
export interface Format<I> {
  /** Key of the index in stores and part of every ETag; holds the version of the layout of both, such as `flv-1`. */
  readonly name: string;
  /**
   * Configured bounds by which files are refused; left out when there are none. Refusals hold as long as they are the
   * same.
   */
  readonly limits?: string;
  /**
   * Whether a file that begins like this may be of this format.
   * @param head the first bytes of the object: 4 KiB, or the whole object when it is shorter
   */
  matches(head: Uint8Array): boolean;
  /**
   * Compiles the index, or answers undefined when the file is not of this format after all (an MP4 with or without
   * `mvex`): the next format is asked. Bounded in time and memory by the options the format was made with.
   * @throws EdgeError (or rejects with one) `unplayable`, `media_too_large`, and whatever the source throws
   */
  compile(source: ByteSource): I | undefined | Promise<I | undefined>;
  /** Seconds that the film lasts. */
  duration(index: I): number;
  /** Bytes that the index takes in memory, for the cache's bound. */
  weight(index: I): number;
  /** The index as bytes for the `IndexStore`. */
  encode(index: I): Uint8Array;
  /**
   * The index that was encoded, or undefined when the bytes are not what `encode` makes for an object of `size` bytes.
   * The bytes are hostile.
   */
  decode(bytes: Uint8Array, size: number): I | undefined;
  /**
   * Where the answer to a seek begins, where the second is all that its file depends on beside `seek.end`: so many
   * seeks have one file. Formats, and options, by which nearly each seek has a file of its own have none.
   * @throws EdgeError (or rejects with one) as `plan` does
   */
  beginning?(index: I, source: ByteSource, seek: Seek): Beginning | undefined | Promise<Beginning | undefined>;
  /**
   * The virtual file that begins at `seek.start`, or undefined when the plain file is the answer.
   * @param beginning the second that `beginning` said of the seek; undefined where that was not asked
   * @throws EdgeError (or rejects with one) `range_not_satisfiable` when `start` is at or past the end, `unplayable`,
   *   and whatever the source throws
   */
  plan(
    index: I,
    object: MediaObject,
    seek: Seek,
    beginning?: number,
  ): VirtualFile | undefined | Promise<VirtualFile | undefined>;
  /**
   * The virtual file of the whole object in an order fit for streaming; undefined when the plain file is. Formats that
   * have no other order leave it out.
   */
  whole?(index: I, object: MediaObject): VirtualFile | undefined;
}
