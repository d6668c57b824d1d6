/** Field of requests and answers by which edges of a cluster know one another; it goes no further than one hop. */
export const PEER_FIELD = 'moovedge-peer';
/** Field in which an edge says why it does not take a request for a peer's. */
export const REFUSED_FIELD = 'moovedge-refused';
