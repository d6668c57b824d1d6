import type { Socket } from 'node:net';
import { isLoopback } from '../../base/loopback.js';
import type { PortBounds } from '../gate.js';

/** Places for connections, and who has them: as the gate shares them, by addresses. */
export class Places {
  readonly #bounds: PortBounds;
  readonly #held = new Map<string, number>();
  #open = 0;

  constructor(bounds: PortBounds) {
    this.#bounds = bounds;
  }

  /**
   * Whether a connection may stay; it gives its place back when it closes. Called again when its client is known.
   * @param isTrusted a proxy's: it may have as many as there are places
   */
  take(socket: Socket, address: string, isTrusted: boolean): boolean {
    const { connections, loopback } = this.#bounds;
    const isBounded = !isTrusted && address !== '' && (loopback || !isLoopback(address));
    if (this.#open >= connections || (isBounded && !this.#hasPlaceFor(address))) return false;
    this.#open++;
    if (isBounded) this.#held.set(address, (this.#held.get(address) ?? 0) + 1);
    socket.once('close', () => {
      this.#open--;
      if (!isBounded) return;
      const left = this.#held.get(address)! - 1;
      if (left > 0) this.#held.set(address, left);
      else this.#held.delete(address);
    });
    return true;
  }

  #hasPlaceFor(address: string): boolean {
    const { connections, perClient } = this.#bounds;
    const held = this.#held.get(address) ?? 0;
    if (perClient > 0) return held < perClient;
    if (this.#open < connections - connections / 4) return true;
    return held < connections / (this.#held.size + (held === 0 ? 1 : 0));
  }
}
