/**
 * Random reads of one version of one object. The media readers know nothing else of the world: neither HTTP nor the
 * cache.
 */
export interface ByteSource {
  /** Bytes of the object. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes from `offset`. The result belongs to the caller. It comes at once when the bytes are
   * at hand (so that a plan over cached blocks makes no promise) and as a promise otherwise.
   * @param length at most `READ_MAX`
   * @throws EdgeError (or rejects with one) when the origin fails or the range is not wholly inside the object
   *   (`unplayable`)
   */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
  /**
   * The same, but that bytes that are at hand may be a buffer that all share: they are the caller's until anything else
   * is read in this process, and not to be written to. Left out where that would spare nothing.
   */
  lend?(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
}

/** Most bytes of one read. */
export const READ_MAX = 1024 * 1024;
