/** A tree of pages. */
interface LmdbTree {
  pageSize: number;
  entryCount: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

/** What lmdb-js tells of an environment as a whole. */
export interface LmdbStats {
  root: LmdbTree;
  free: LmdbTree;
  numReaders: number;
  lastTxnId: number;
  lastPageNumber: number;
}

/** Pages of a tree. */
export function treePages(tree: LmdbTree): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}
