import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../base/loopback.js';
import { bearerOf, Secret } from '../base/secret.js';

/** Why a request may not be answered. */
export interface AccessRefusal {
  readonly status: 401 | 403;
  readonly reason: string;
}

/** Decides who may use the admin port. */
export class Access {
  readonly #loopback: boolean;
  #token: Secret | undefined;

  /**
   * @param host address that the port is bound to
   * @param token what requests must bear; required by the schema when other machines can reach `host`
   */
  constructor(host: string, token: string | undefined) {
    this.#loopback = isLoopback(host);
    this.token = token;
  }

  set token(token: string | undefined) {
    this.#token = token === undefined ? undefined : new Secret(token);
  }

  /**
   * Keeps web pages of other sites out. On loopback the Host field must name this machine, so that a page whose name
   * has been rebound to 127.0.0.1 reaches nothing; anywhere, a request that a page of another origin makes is refused.
   * No browser sends HTTP/0.9.
   */
  refuseForeignPage({ headers, httpVersionMajor }: IncomingMessage): AccessRefusal | undefined {
    if (httpVersionMajor === 0) return undefined;
    const name = hostName(headers.host);
    if (name === undefined || (this.#loopback && !isLoopback(name))) {
      return { status: 403, reason: 'expected the Host field to be localhost or an address of this machine' };
    }
    const { origin } = headers;
    const isOwn = origin === undefined || origin === `http://${headers.host}` || origin === `https://${headers.host}`;
    return isOwn ? undefined : { status: 403, reason: 'expected no request from a page of another site' };
  }

  /** Refuses a request without the token, when there is one (RFC 6750 section 2.1). */
  refuseStranger({ headers }: IncomingMessage): AccessRefusal | undefined {
    if (this.#token === undefined) return undefined;
    const bearer = bearerOf(headers.authorization);
    return bearer !== undefined && this.#token.is(bearer)
      ? undefined
      : { status: 401, reason: 'expected the field "Authorization: Bearer TOKEN" with the admin token' };
  }
}

/** Name or address in a Host field, without port and brackets; undefined when it is none. */
export function hostName(field: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(field ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
