import type { Asker } from '../base/asker.js';
import { clientKey } from '../base/client-key.js';

/** All for whom one fetch is made: it begins when the first of them has a turn. */
export class Askers {
  readonly #clients: Set<string>;
  /** Told of clients that come while the fetch waits; set by the queue that it waits in. */
  joined: ((client: string) => void) | undefined;

  /** @param first who has it made */
  constructor(readonly first: Asker) {
    this.#clients = new Set([clientKey(first.client)]);
  }

  /** Clients as turns are taken by them: an address, or a network of IPv6. */
  get clients(): ReadonlySet<string> {
    return this.#clients;
  }

  /** Somebody else waits for what it brings. */
  add({ client }: Asker): void {
    const key = clientKey(client);
    if (this.#clients.has(key)) return;
    this.#clients.add(key);
    this.joined?.(key);
  }
}
