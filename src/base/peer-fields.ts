import type { Asker } from './asker.js';

/** Field of requests and answers by which edges of a cluster know one another; it goes no further than one hop. */
export const PEER_FIELD = 'moovedge-peer';
/** Field in which an edge says for which client it asks, so that turns at origins are taken by clients. */
export const ASKER_FIELD = 'moovedge-asker';

/** That field, as it goes on to another edge. */
export function askerField({ client }: Asker): Record<string, string> {
  return client === '' ? {} : { [ASKER_FIELD]: client };
}

/** Field in which an edge says why it does not take a request for a peer's. */
export const REFUSED_FIELD = 'moovedge-refused';
