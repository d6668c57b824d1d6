/**
 * Fields that concern one connection only (RFC 9110 section 7.6.1), in lower case, those of edges among them.
 */
export const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'moovedge-peer',
  'moovedge-refused',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/**
 * Fields of a player's request, in lower case, that never go on to an origin: the edge's to set, or that would change
 * what the answer means.
 */
export const NOT_FORWARDED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'accept-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'via',
]);
