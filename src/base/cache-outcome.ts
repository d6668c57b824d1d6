/**
 * How the first block of an answer was come by: the closed set that logs, metrics and the Cache-Status field (RFC 9211)
 * share.
 * - `memory`, `disk`: a hit in that tier
 * - `miss`: fetched from the origin for this answer
 * - `collapsed`: another request's fetch was under way and this answer followed it
 * - `stale`: served from the cache past its freshness, by RFC 5861 or because the origin is down
 * - `revalidated`: the origin confirmed the stored object, whose blocks were cached
 * - `bypass`: streamed past the cache
 * - `peer`: answered by the edge of the cluster that has the film
 */
export type CacheOutcome = 'memory' | 'disk' | 'miss' | 'collapsed' | 'stale' | 'revalidated' | 'bypass' | 'peer';

const FIELD: Record<CacheOutcome, string> = {
  memory: 'moovedge; hit; detail=memory',
  disk: 'moovedge; hit; detail=disk',
  miss: 'moovedge; fwd=miss; fwd-status=206',
  collapsed: 'moovedge; fwd=miss; collapsed',
  stale: 'moovedge; fwd=stale; detail=served-stale',
  revalidated: 'moovedge; fwd=stale; fwd-status=304',
  bypass: 'moovedge; fwd=bypass',
  peer: 'moovedge; fwd=bypass; detail=peer',
};

/** Value of the Cache-Status field for an outcome (RFC 9211 section 2). */
export function cacheStatus(outcome: CacheOutcome): string {
  return FIELD[outcome];
}
