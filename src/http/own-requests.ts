import { timingSafeEqual } from 'node:crypto';
import { ownCredentials } from '../base/own-credentials.js';
import type { FrontRequest } from './front-end.js';

/**
 * Knows what the edge itself asks for at its port for players, so that it is cached: nothing that keeps players out or
 * slows them down holds for that.
 */
export class OwnRequests {
  #credentials: Buffer | undefined;

  /** What all processes of the edge know, and nobody else. */
  set key(key: string) {
    this.#credentials = Buffer.from(ownCredentials(key), 'latin1');
  }

  /** A request of the edge, without what tells that it is one; undefined for anybody else's. */
  of(req: FrontRequest): FrontRequest | undefined {
    const value = req.getHeader('authorization');
    if (value.length !== this.#credentials?.length) return undefined;
    const found = Buffer.from(value, 'latin1');
    return timingSafeEqual(found, this.#credentials) ? new OwnRequest(req) : undefined;
  }
}

/** A request as whoever has been let in would make it. */
class OwnRequest implements FrontRequest {
  readonly #req: FrontRequest;
  readonly protocol?: string;

  constructor(req: FrontRequest) {
    this.#req = req;
    if (req.protocol !== undefined) this.protocol = req.protocol;
  }

  getCaseSensitiveMethod(): string {
    return this.#req.getCaseSensitiveMethod();
  }

  getUrl(): string {
    return this.#req.getUrl();
  }

  getQuery(): string | undefined {
    return this.#req.getQuery();
  }

  getHeader(name: string): string {
    return name === 'authorization' ? '' : this.#req.getHeader(name);
  }

  forEach(take: (name: string, value: string) => void): void {
    this.#req.forEach((name, value) => {
      if (name !== 'authorization') take(name, value);
    });
  }
}
