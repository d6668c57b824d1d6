import { native } from '../base/native.js';
import type { Pieces } from '../base/pieces.js';
import type { Scatter } from '../delivery/scatter.js';

/** Fewer bytes could be copied by the front end into the buffer of its cork, and the stand-in can't be. */
const LEAST = 20 * 1024;

/** Pieces and blocks in plain connections of the front end, by the gate, which sends what the stand-in stands for. */
export class SocketScatter implements Scatter {
  static #only: SocketScatter | undefined;

  private constructor(private readonly standInBytes: ArrayBuffer) {}

  /** That of the process; undefined where there can be none. The gate must be open. */
  static open(): SocketScatter | undefined {
    if (SocketScatter.#only === undefined) {
      const bytes = native.openStandIn();
      if (bytes !== undefined) SocketScatter.#only = new SocketScatter(bytes);
    }
    return SocketScatter.#only;
  }

  standIn(
    { offsets, begins }: Pieces,
    at: number,
    run: Uint8Array,
    base: number,
    most: number,
  ): Uint8Array | undefined {
    const bound = Math.min(most, this.standInBytes.byteLength);
    return this.laidOut(native.scatterPieces(offsets, begins, at, run, base, bound));
  }

  laidOut(bytes: number): Uint8Array | undefined {
    return bytes < LEAST ? undefined : new Uint8Array(this.standInBytes, 0, bytes);
  }

  forget(): void {
    native.forgetPieces();
  }
}
