import { randomBytes } from 'node:crypto';
import type { ClientAddresses } from './client-address.js';
import type { FrontRequest, Remote } from './front-end.js';

/** What ids of others may be: anything that can stand in a field and in a line of a log without being escaped. */
const SOUND = /^[A-Za-z0-9._~:/+=@-]{1,128}$/;
/** Tells processes apart. */
const PROCESS = randomBytes(9).toString('base64url');

let count = 0;

/** An id that no other request has, of this process or another one. */
export function nextRequestId(): string {
  return `${PROCESS}-${(++count).toString(36)}`;
}

/** What of an `HttpContext` says whom to believe. */
interface Trusting {
  /** Set on the port of other edges. */
  readonly peers: unknown;
  readonly clients: ClientAddresses;
}

/**
 * The id that a request has already, by the word of somebody who is trusted; undefined where it has none. To be called
 * within its handler.
 */
export function givenRequestId(context: Trusting, res: Remote, req: FrontRequest): string | undefined {
  const given = req.getHeader('x-request-id');
  return given !== '' && SOUND.test(given) && isTrusted(context, res) ? given : undefined;
}

/** The trace that a request is part of, by the word of somebody who is trusted; '' where there is none. */
export function givenTrace(context: Trusting, res: Remote, req: FrontRequest): string {
  const given = req.getHeader('traceparent');
  return given !== '' && isTrusted(context, res) ? given : '';
}

/** Other edges have been admitted to their port. */
function isTrusted({ peers, clients }: Trusting, res: Remote): boolean {
  return peers !== undefined || clients.trustsPeerOf(res);
}
