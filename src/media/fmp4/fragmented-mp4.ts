import type { ByteSource } from '../../base/byte-source.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { COMPILE_BUDGET, MeteredSource } from '../io/metered-source.js';
import { perform } from '../io/reading.js';
import { fourcc } from '../mp4/box/box.js';
import type { Format } from '../seek/format.js';
import type { MediaObject } from '../seek/media.js';
import type { Seek } from '../seek/seek.js';
import { compileFragments } from './compile.js';
import { decodeFragmentIndex, encodeFragmentIndex, type FragmentIndex, fragmentIndexWeight } from './index.js';
import { planFragments } from './plan.js';

/** Boxes with which a fragmented MP4 begins. */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moov', 'free', 'skip', 'uuid', 'pdin']);

/**
 * MP4 files whose samples are in movie fragments (ISO/IEC 14496-12 section 8.8), such as those made for DASH or by
 * recorders.
 */
export class FragmentedMp4 implements Format<FragmentIndex> {
  readonly name = 'fmp4-3';

  matches(head: Uint8Array): boolean {
    return head.length >= 8 && FIRST_BOXES.has(fourcc(head, 4));
  }

  compile(source: ByteSource): FragmentIndex | undefined | Promise<FragmentIndex | undefined> {
    return perform(compileFragments(MeteredSource.over(source, COMPILE_BUDGET)));
  }

  duration(index: FragmentIndex): number {
    return index.duration / index.reference.timescale;
  }

  weight(index: FragmentIndex): number {
    return fragmentIndexWeight(index);
  }

  encode(index: FragmentIndex): Uint8Array {
    return encodeFragmentIndex(index);
  }

  decode(bytes: Uint8Array, size: number): FragmentIndex | undefined {
    return decodeFragmentIndex(bytes, size);
  }

  plan(
    index: FragmentIndex,
    object: MediaObject,
    seek: Seek,
  ): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    return perform(planFragments(index, object, seek, this.name));
  }
}
