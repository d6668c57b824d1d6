import type { Account } from './account.js';
import type { NodeRequest } from './node-request.js';

/** A connection, as whoever accepted it knows it. */
export interface ClientConnection {
  /** Address of the client, as text; '' when there is none. */
  readonly address: string;
  /** Many clients share it: it is a trusted proxy's. */
  readonly isShared: boolean;
  /** The client's, or its own where there is none. */
  readonly account: Account;
}

/** Whether a request is that of one of many clients of a proxy, which names it. */
export function isPassedOn({ isShared }: ClientConnection, request: NodeRequest | number | undefined): boolean {
  if (!isShared || typeof request !== 'object') return false;
  return request.getHeader('x-forwarded-for') !== '' || request.getHeader('forwarded') !== '';
}
