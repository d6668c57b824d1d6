import { clientKey } from '../base/client-key.js';
import { isLoopback } from '../base/loopback.js';

/** Requests under way by client, where each may have so many, whatever connections they come on. */
export class ClientRequests {
  readonly #most: number;
  readonly #boundsLoopback: boolean;
  readonly #underWay = new Map<string, number>();

  /**
   * @param most requests of a client
   * @param boundsLoopback clients on this machine are bounded, too
   */
  constructor(most: number, boundsLoopback: boolean) {
    this.#most = most;
    this.#boundsLoopback = boundsLoopback;
  }

  /** Whether a client may have one more; always, for one without an address. */
  hasRoomFor(address: string): boolean {
    return !this.#isBounded(address) || (this.#underWay.get(clientKey(address)) ?? 0) < this.#most;
  }

  begin(address: string): void {
    if (!this.#isBounded(address)) return;
    const key = clientKey(address);
    this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1);
  }

  end(address: string): void {
    if (!this.#isBounded(address)) return;
    const key = clientKey(address);
    const left = this.#underWay.get(key)! - 1;
    if (left > 0) this.#underWay.set(key, left);
    else this.#underWay.delete(key);
  }

  #isBounded(address: string): boolean {
    return address !== '' && (this.#boundsLoopback || !isLoopback(address));
  }
}
