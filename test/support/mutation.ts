/**
 * A small mutation fuzzer: seeds, random edits, and a fixed sequence of random numbers, so that a finding can be met
 * again.
 */

import type { ByteSource } from '../../src/base/byte-source.js';
import { EdgeError } from '../../src/base/errors.js';

/** Numbers that break parsers. */
const MAGIC = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** Random numbers that are the same in each run (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number, `0 <= n < limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/**
 * A changed copy of one of the seeds. @param hot offsets near which edits do most, such as those of headers; given for
 * each seed
 */
export function mutate(dice: Dice, seed: Uint8Array, hot: readonly number[]): Uint8Array {
  let bytes = Uint8Array.from(seed);
  for (let edits = 1 + dice.below(6); edits > 0 && bytes.length > 8; edits--) {
    const near = hot.length > 0 && dice.below(4) > 0 ? dice.pick(hot) + dice.below(24) : dice.below(bytes.length);
    const at = Math.min(near, bytes.length - 5);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    switch (dice.below(8)) {
      case 0:
        bytes[at] = dice.below(256);
        break;
      case 1:
        bytes[at]! ^= 1 << dice.below(8);
        break;
      case 2:
        view.setUint32(at, dice.pick(MAGIC));
        break;
      case 3:
        view.setUint32(at, (view.getUint32(at) + dice.below(17) - 8) >>> 0);
        break;
      case 4:
        bytes = bytes.slice(0, at);
        break;
      case 5: {
        const length = dice.below(64);
        bytes = joined(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + length)));
        break;
      }
      case 6: {
        const from = dice.below(bytes.length);
        bytes.copyWithin(at, from, Math.min(bytes.length, from + dice.below(64)));
        break;
      }
      default:
        bytes = joined(bytes.subarray(0, at), bytes.subarray(at, at + dice.below(32)), bytes.subarray(at));
    }
  }
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** How often a source may be read for one input before that counts as endless. */
const READS_MAX = 20_000;

/** A source that refuses to be read without end. */
export class BoundedSource implements ByteSource {
  #reads = 0;

  constructor(readonly bytes: Uint8Array) {}

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (++this.#reads > READS_MAX) throw new Error(`more than ${READS_MAX} reads`);
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new EdgeError('unplayable', `bytes ${offset}+${length} are not all inside ${this.size}`);
    }
    return this.bytes.slice(offset, offset + length);
  }
}

/** How many inputs to try: the first argument of the command line, or `short`. */
export function inputsWanted(short: number): number {
  const wanted = Number(process.argv[2]);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : short;
}

/** Whether an error is one that bad input may cause. */
export function isRefusal(error: unknown): boolean {
  return error instanceof EdgeError && ['unplayable', 'media_too_large', 'range_not_satisfiable'].includes(error.code);
}
