/**
 * Milliseconds for which recent entries are gathered into one commit, which costs as much as all else that is done for
 * a new object. Other processes that ask for the same wait for it, players are answered before.
 */
export const GATHERED = 5;

/**
 * What outlives the process of the catalog, shared by all processes of the machine. Keys are 1 to 64 bytes. What is
 * read is hostile: whoever reads it checks it.
 */
export interface CatalogStore {
  /**
   * The entry under `key` as it was committed by any process before this call; undefined when there is none or the
   * store can't be read.
   */
  entry(key: Uint8Array): Uint8Array | undefined;
  /** Every entry, some at a time: what is stored meanwhile may be among them. Ends early when they can't be read. */
  entries(): Generator<readonly Uint8Array[]>;
  /**
   * Stores an entry, or removes it when undefined. Settles when other processes see it, or when it could not be stored;
   * it is on the disk later. Never rejects.
   * @param brief it soon means nothing: it need not outlive the machine, and is not written to a disk
   */
  saveEntry(key: Uint8Array, value: Uint8Array | undefined, brief?: boolean): Promise<void>;
  /** A record of purges, read like an entry; records are never dropped for want of room. */
  purge(key: Uint8Array): Uint8Array | undefined;
  /**
   * Writes records of purges as one, after reading others; returns when they are on disk.
   * @throws EdgeError `store` when they could not be written
   */
  savePurges(work: (write: (key: Uint8Array, value: Uint8Array) => void) => void): void;
}
