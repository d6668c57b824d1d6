import { getSystemErrorName } from 'node:util';
import { expectConstants, type NativeTier } from '../../base/native.js';
import type { BlockWaits } from './block-waits.js';
import type { BlockFill } from './memory-tier.js';

// What `NativeTier.append` returns; 0 when it has taken the bytes and the block wants more.
const COMPLETE = 1;
const LOST = 2;
const TOO_LONG = 3;
/** What `NativeTier.receive` returns when the block was lost. */
const RECEIVE_LOST = -4096;
const NOTHING = new Uint8Array(0);

expectConstants({
  appendAppended: 0,
  appendComplete: COMPLETE,
  appendEnded: LOST,
  appendTooLong: TOO_LONG,
  receiveLost: RECEIVE_LOST,
});

/** A fill of this process in the shared tier. */
export class SharedFill implements BlockFill {
  readonly length: number;
  watermark: number;
  readonly #native: NativeTier;
  readonly #received: (count: number) => Uint8Array;
  readonly #waits: BlockWaits;
  readonly #class: number;
  readonly #handle: number;
  /** Lost: damage to the file took the block from under the fill. What still comes goes nowhere. */
  #state: 'open' | 'lost' | 'ended' = 'open';

  /** @param received the bytes that the last `NativeTier.receive` has put into a slot, so many */
  constructor(
    tier: NativeTier,
    received: (count: number) => Uint8Array,
    waits: BlockWaits,
    mailClass: number,
    handle: number,
    watermark: number,
    length: number,
  ) {
    this.#native = tier;
    this.#received = received;
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

  receive(socket: number, most: number): Uint8Array | undefined {
    if (this.#state !== 'open') return undefined;
    const count = this.#native.receive(this.#handle, socket, most);
    if (count > 0) return this.#received(count);
    if (count === RECEIVE_LOST) return undefined;
    if (count < 0) throw systemError(count);
    return NOTHING;
  }

  abandon(discard = false): void {
    if (this.#state === 'open') this.#native.abandon(this.#handle, discard ? 1 : 0);
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#waits.changed(this.#class);
  }
}

function systemError(errno: number): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`read ${code}`), { errno, code, syscall: 'read' });
}

function tooLong(): RangeError {
  return new RangeError('the chunk does not fit into the block');
}
