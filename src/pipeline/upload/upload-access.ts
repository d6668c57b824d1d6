import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../base/loopback.js';
import type { Config } from '../../config/schema.js';

/** Says who uploads, by the tokens of the configuration. */
export class UploadAccess {
  readonly #tokens: readonly { readonly owner: string; readonly digest: Buffer }[];

  constructor({ token, tokens }: Config['upload']) {
    const all = [...(token === undefined ? [] : [['', token] as const]), ...Object.entries(tokens)];
    this.#tokens = all.map(([owner, secret]) => ({ owner, digest: digest(secret) }));
  }

  /** Name of the token that a request bears; undefined when it may do nothing. Without tokens this machine may. */
  ownerOf({ headers, socket }: IncomingMessage): string | undefined {
    if (this.#tokens.length === 0) return isLoopback(socket.remoteAddress ?? '') ? '' : undefined;
    const bearer = /^Bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer === undefined) return undefined;
    const shown = digest(bearer);
    return this.#tokens.find(({ digest: expected }) => timingSafeEqual(expected, shown))?.owner;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
