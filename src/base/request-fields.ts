/**
 * Fields that concern one connection only (RFC 9110 section 7.6.1), in lower case, those of edges among them.
 */
export const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'moovedge-asker',
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

/** Fields that decide which bytes an answer has, in lower case (RFC 9110 sections 13.1 and 14.2). */
export const SELECTION: readonly string[] = [
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
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
  'via',
  ...SELECTION,
]);
