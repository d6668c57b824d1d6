import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../base/loopback.js';
import { bearerOf, Secret } from '../../base/secret.js';
import type { Config } from '../../config/schema.js';

/** Says who uploads, by the tokens of the configuration. */
export class UploadAccess {
  readonly #tokens: readonly { readonly owner: string; readonly secret: Secret }[];

  constructor({ token, tokens }: Config['upload']) {
    const all = [...(token === undefined ? [] : [['', token] as const]), ...Object.entries(tokens)];
    this.#tokens = all.map(([owner, secret]) => ({ owner, secret: new Secret(secret) }));
  }

  /** Name of the token that a request bears; undefined when it may do nothing. Without tokens this machine may. */
  ownerOf({ headers, socket }: IncomingMessage): string | undefined {
    if (this.#tokens.length === 0) return isLoopback(socket.remoteAddress ?? '') ? '' : undefined;
    const bearer = bearerOf(headers.authorization);
    if (bearer === undefined) return undefined;
    return this.#tokens.find(({ secret }) => secret.is(bearer))?.owner;
  }
}
