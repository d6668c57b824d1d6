/**
 * How an exchange broke: no connection (`connect`, or `connect_timeout`), no trust (`tls`), broken off (`reset`), not
 * HTTP (`protocol`), a request that can't be sent (`invalid`), or our own `close` (`closed`).
 */
export type TransportFailure = 'connect' | 'connect_timeout' | 'tls' | 'reset' | 'protocol' | 'invalid' | 'closed';

const TLS_ERROR = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|INVALID_CA|HOSTNAME_MISMATCH|EPROTO)/;

/** Names of the client's errors about a head that is no HTTP. */
const MALFORMED = ['HTTPParserError', 'HeadersOverflowError'];

/**
 * What an error of the client, or of Node's sockets, says.
 * @param connected whether there was a connection
 * @param headed whether the head of the answer had come
 */
export function failureOf(error: Error & { code?: string }, connected: boolean, headed: boolean): TransportFailure {
  const code = error.code ?? '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'connect_timeout';
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return 'closed';
  if (code === 'UND_ERR_INVALID_ARG') return 'invalid';
  if (TLS_ERROR.test(code)) return 'tls';
  if (!connected) return 'connect';
  // A body that stops short or whose chunks make no sense is the connection's fault: what came before is sound.
  const malformed = MALFORMED.includes(error.name);
  return !headed && (malformed || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') ? 'protocol' : 'reset';
}
