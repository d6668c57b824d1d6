import type { Socket } from 'node:net';
import { clientKey } from '../../base/client-key.js';
import { isLoopback } from '../../base/loopback.js';
import type { PortBounds } from '../gate.js';

/** Places for connections, and who has them: as the gate shares them, by clients. */
export class Places {
  readonly #bounds: PortBounds;
  readonly #held = new Map<string, number>();
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

  /** Whether a client may have a connection, which has its place already. */
  give(socket: Socket, address: string): boolean {
    if (address === '' || (isLoopback(address) && !this.#bounds.loopback)) return true;
    const key = clientKey(address);
    if (!this.#hasPlaceFor(key)) return false;
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    socket.once('close', () => {
      const left = this.#held.get(key)! - 1;
      if (left > 0) this.#held.set(key, left);
      else this.#held.delete(key);
    });
    return true;
  }

  #hasPlaceFor(key: string): boolean {
    const { connections, perClient } = this.#bounds;
    const held = this.#held.get(key) ?? 0;
    if (perClient > 0) return held < perClient;
    if (this.#open <= connections - connections / 4) return true;
    return held < connections / (this.#held.size + (held === 0 ? 1 : 0));
  }
}
