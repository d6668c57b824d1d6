import { type Refusal, refusal } from '../refusal.js';
import type { TransportFailure } from './transport-failure.js';

/** The connection ended before the body did. */
export function brokenOff(cause?: Error): Refusal {
  return refusal('origin_unavailable', 'the origin broke off its answer', 'any', undefined, {
    blame: true,
    cause,
  });
}

/** Errors of this machine rather than of the server: no descriptor, port or memory is left. */
const OURS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/** What a broken exchange means. */
export function transportRefusal(kind: TransportFailure, cause: Error & { readonly code?: string }): Refusal {
  const blame = { blame: !OURS.has(cause.code ?? ''), cause };
  switch (kind) {
    case 'connect':
      return refusal('origin_unavailable', "the origin can't be reached", 'any', undefined, blame);
    case 'connect_timeout':
      return refusal('origin_timeout', 'the origin did not accept a connection in time', 'any', undefined, blame);
    case 'tls':
      return refusal(
        'origin_unavailable',
        "the origin's TLS certificate or handshake failed",
        'otherReplica',
        undefined,
        blame,
      );
    case 'reset':
      return brokenOff(cause);
    case 'protocol':
      return refusal(
        'origin_protocol',
        'the origin sent a malformed or too large head',
        'otherReplica',
        undefined,
        blame,
      );
    case 'invalid':
      return refusal('bad_request', "the request can't be sent to the origin as it is", 'never', undefined, {
        cause,
      });
    case 'closed':
      return refusal('origin_unavailable', 'the edge is closing its origin', 'never', undefined, { cause });
  }
}
