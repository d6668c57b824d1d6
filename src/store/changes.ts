/** Pages that a put or remove touches in a tree of usual depth, halves of pages that were split included. */
const PAGES_PER_CHANGE = 4;
/** So many puts and removes free as many pages as one page of LMDB's list of free pages can name. */
const CHANGES_PER_FREE_PAGE = 4;
/** Most pages of the trees that are allocated ahead: 4 MiB. More are touched only when much is dropped at once. */
const BRANCHES_AHEAD = 1024;
/** Pages for LMDB's tree of tables, and to spare. */
const SPARE_PAGES = 64;
/**
 * Values of at least this many bytes may have pages of their own. The last of these is filled in part, and 16 bytes of
 * LMDB's stand before the first: hence the pages that are added for each.
 */
const LARGE_VALUE = 1024;
const PAGES_PER_LARGE_VALUE = 2;
/** Bytes that a leaf holds beside a key and its small value. Leaves are half empty at worst. */
const LEAF_BYTES_PER_VALUE = 16;
const LEAF_FACTOR = 2;

/** Pages of the trees of an environment. */
export interface TreePages {
  /** Branches and leaves of all tables. */
  readonly tables: number;
  /** The tree of free pages. */
  readonly free: number;
}

/**
 * Puts and removes that are committed together: counted for the room that they may take, and in a batch kept until they
 * are applied.
 */
export class Changes {
  readonly #waiting: (() => void)[] | undefined;
  #count = 0;
  #largeValues = 0;
  #largeBytes = 0;
  #leafBytes = 0;

  /** @param waiting whether changes wait for `apply`; the default is that each is made at once */
  constructor(waiting = false) {
    this.#waiting = waiting ? [] : undefined;
  }

  put(key: Uint8Array, value: Uint8Array, change: () => void): void {
    this.#leafBytes += key.length + LEAF_BYTES_PER_VALUE;
    if (value.length < LARGE_VALUE) {
      this.#leafBytes += value.length;
    } else {
      this.#largeBytes += value.length;
      this.#largeValues++;
    }
    this.#add(change);
  }

  remove(change: () => void): void {
    this.#add(change);
  }

  /** Makes the changes that wait. */
  apply(): void {
    for (const change of this.#waiting ?? []) change();
  }

  get count(): number {
    return this.#count;
  }

  /** Most pages that the values can take, however LMDB distributes them. */
  valuePages(pageSize: number): number {
    const bytes = this.#largeBytes + this.#leafBytes * LEAF_FACTOR;
    return Math.ceil(bytes / pageSize) + this.#largeValues * PAGES_PER_LARGE_VALUE;
  }

  #add(change: () => void): void {
    this.#count++;
    if (this.#waiting === undefined) change();
    else this.#waiting.push(change);
  }
}

/** Bytes behind the last page in use that a transaction may take. */
export interface Room {
  /** To be allocated before the transaction. */
  readonly bytes: number;
  /**
   * Not allocated, but to be free on the disk: what is needed beyond `bytes` when no two changes touch the same pages
   * of a large tree.
   */
  readonly rest: number;
}

/** Most room that a transaction of all `batches` may take, if no free page can be used again. */
export function roomFor(batches: readonly Changes[], pageSize: number, trees: TreePages): Room {
  let values = 0;
  let count = 0;
  for (const changes of batches) {
    values += changes.valuePages(pageSize);
    count += changes.count;
  }
  const branches = Math.min(count * PAGES_PER_CHANGE, trees.tables * 2);
  const free = trees.free * 2 + Math.ceil(count / CHANGES_PER_FREE_PAGE);
  const ahead = Math.min(branches, BRANCHES_AHEAD);
  return { bytes: (values + ahead + free + SPARE_PAGES) * pageSize, rest: (branches - ahead) * pageSize };
}
