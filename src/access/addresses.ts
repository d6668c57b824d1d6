import { Networks } from '../base/networks.js';
import type { Denial } from './access-request.js';

/** Who may come by address, as addresses and networks. */
export interface ClientSettings {
  /** Those and no others; all when empty. */
  readonly allow: readonly string[];
  /** Not those, though they are allowed. */
  readonly deny: readonly string[];
}

/** Whether a client may come, by its address. */
export class Addresses {
  readonly #allow: Networks;
  readonly #deny: Networks;

  constructor({ allow, deny }: ClientSettings) {
    this.#allow = new Networks(allow);
    this.#deny = new Networks(deny);
  }

  refusal(client: string): Denial {
    if (this.#deny.has(client)) return 'the address is denied';
    return this.#allow.isEmpty || this.#allow.has(client) ? undefined : 'the address is not one that is allowed';
  }
}
