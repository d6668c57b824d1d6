import { expectConstants, type NativeTier } from '../../base/native.js';
import type { BlockWaits } from './block-waits.js';
import type { BlockFill } from './memory-tier.js';

// What `NativeTier.append` returns; 0 when it has taken the bytes and the block wants more.
const COMPLETE = 1;
const LOST = 2;
const TOO_LONG = 3;

expectConstants({ appendAppended: 0, appendComplete: COMPLETE, appendEnded: LOST, appendTooLong: TOO_LONG });

/** A fill of this process in the shared tier. */
export class SharedFill implements BlockFill {
  readonly length: number;
  watermark: number;
  readonly #native: NativeTier;
  readonly #waits: BlockWaits;
  readonly #class: number;
  readonly #handle: number;
  /** Lost: damage to the file took the block from under the fill. What still comes goes nowhere. */
  #state: 'open' | 'lost' | 'ended' = 'open';

  constructor(
    tier: NativeTier,
    waits: BlockWaits,
    mailClass: number,
    handle: number,
    watermark: number,
    length: number,
  ) {
    this.#native = tier;
    this.#waits = waits;
    this.#class = mailClass;
    this.#handle = handle;
    this.watermark = watermark;
    this.length = length;
  }

  append(chunk: Uint8Array): void {
    if (this.#state === 'ended') throw new Error('the fill has ended');
    if (chunk.length > this.length - this.watermark) throw tooLong();
    if (this.#state === 'open') {
      const result = this.#native.append(this.#handle, chunk);
      if (result === TOO_LONG) throw tooLong();
      if (result === COMPLETE) this.#state = 'ended';
      if (result === LOST) this.#state = 'lost';
    }
    this.watermark += chunk.length;
    if (this.watermark === this.length) this.#state = 'ended';
    this.#waits.changed(this.#class);
  }

  abandon(discard = false): void {
    if (this.#state === 'open') this.#native.abandon(this.#handle, discard ? 1 : 0);
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#waits.changed(this.#class);
  }
}

function tooLong(): RangeError {
  return new RangeError('the chunk does not fit into the block');
}
