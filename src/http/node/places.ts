import type { Socket } from 'node:net';
import { clientKey } from '../../base/client-key.js';
import { isLoopback } from '../../base/loopback.js';
import type { PortBounds } from '../gate.js';
import { Account } from './account.js';

/** What a client has. */
interface Held {
  readonly account: Account;
  connections: number;
}

/** Places for connections, and who has them: as the gate shares them, by clients. */
export class Places {
  readonly #bounds: PortBounds;
  readonly #held = new Map<string, Held>();
  #open = 0;

  constructor(bounds: PortBounds) {
    this.#bounds = bounds;
  }

  /** Whether there is a place for a connection; it gives it back when it closes. */
  take(socket: Socket): boolean {
    if (this.#open >= this.#bounds.connections) return false;
    this.#open++;
    socket.once('close', () => this.#open--);
    return true;
  }

  /** The account of a client that may have a connection, which has its place already; else undefined. */
  give(socket: Socket, address: string): Account | undefined {
    if (address === '' || (isLoopback(address) && !this.#bounds.loopback)) return new Account();
    const key = clientKey(address);
    const known = this.#held.get(key);
    if (!this.#hasPlaceFor(known)) return undefined;
    const held = known ?? { account: new Account(), connections: 0 };
    if (known === undefined) this.#held.set(key, held);
    held.connections++;
    socket.once('close', () => {
      if (--held.connections === 0) this.#held.delete(key);
    });
    return held.account;
  }

  #hasPlaceFor(client: Held | undefined): boolean {
    const { connections, perClient } = this.#bounds;
    const held = client?.connections ?? 0;
    if (perClient > 0) return held < perClient;
    if (this.#open <= connections - connections / 4) return true;
    return held < connections / (this.#held.size + (held === 0 ? 1 : 0));
  }
}
