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
  for (let at = from; at < ring.head; at++) {
    if (!ring.look(at)) break;
    if (ring.isJoin) return { from, bytes: Buffer.concat(pieces), next: at, all: true };
    if (ring.type === AUDIO_TAG || ring.type === SCRIPT_TAG || ring.isHeader) pieces.push(ring.tag);
  }
  const bytes = Buffer.concat(pieces);
  return { from, bytes: ring.holds(from) ? bytes : Buffer.alloc(0), next: ring.head, all: false };
}
