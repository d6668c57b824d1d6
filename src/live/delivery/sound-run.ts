import { AUDIO_TAG, SCRIPT_TAG } from '../../media/flv/tag.js';
import type { RingReader } from '../ring/ring-reader.js';

/** Tags without pictures, from one on. */
export interface SoundRun {
  readonly from: number;
  readonly bytes: Uint8Array;
  /** Sequence behind them, and whether a decoder of pictures can begin there. */
  readonly next: number;
  readonly all: boolean;
}

/** Sound, and headers, from a tag on up to the next key frame. */
export function gatherSound(ring: RingReader, from: number): SoundRun {
  const pieces: Uint8Array[] = [];
  let [next, all] = [from, false];
  for (; next < ring.head && ring.look(next); next++) {
    all = ring.isJoin;
    if (all) break;
    if (ring.type === AUDIO_TAG || ring.type === SCRIPT_TAG || ring.isHeader) pieces.push(ring.tag);
  }
  const bytes = Buffer.concat(pieces);
  if (!ring.holds(from)) return { from, bytes: Buffer.alloc(0), next: ring.head, all: false };
  return { from, bytes, next: all ? next : ring.head, all };
}
