/** Counters of `ObjectCatalog`; plain numbers that only grow. */
export interface CatalogStats {
  /** Requests answered from a fresh entry, from a stale one, and by an error that was remembered. */
  hits: number;
  staleHits: number;
  negativeHits: number;
  /** First fetches of unknown objects; fetches to revalidate known ones, and those of them that confirmed. */
  misses: number;
  revalidations: number;
  confirmed: number;
  /** Requests that waited for another one's fetch, and requests that went past the cache. */
  collapsed: number;
  bypassed: number;
}
