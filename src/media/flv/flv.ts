import type { ByteSource } from '../../base/byte-source.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { COMPILE_BUDGET, MeteredSource } from '../io/metered-source.js';
import { perform } from '../io/reading.js';
import type { Format } from '../seek/format.js';
import type { MediaObject } from '../seek/media.js';
import type { Seek } from '../seek/seek.js';
import { compileFlvIndex } from './compile.js';
import { decodeFlvIndex, encodeFlvIndex, type FlvIndex, flvIndexWeight } from './flv-index.js';
import { type FlvOptions, planFlv } from './plan.js';
import { isFlv } from './tag.js';

/** FLV files (Adobe Flash Video File Format 10.1, with the codecs of Enhanced RTMP). */
export class Flv implements Format<FlvIndex> {
  readonly name: string;
  /** Rebased timestamps need an index that can find the tags anywhere in the file. */
  readonly #steps: boolean;

  constructor(private readonly options: FlvOptions) {
    this.#steps = options.timestamps === 'rebased';
    this.name = this.#steps ? 'flv-rebased-2' : 'flv-2';
  }

  matches(head: Uint8Array): boolean {
    return isFlv(head);
  }

  compile(source: ByteSource): FlvIndex | Promise<FlvIndex> {
    return perform(compileFlvIndex(MeteredSource.over(source, COMPILE_BUDGET), { steps: this.#steps }));
  }

  duration(index: FlvIndex): number {
    return index.duration / 1000;
  }

  weight(index: FlvIndex): number {
    return flvIndexWeight(index);
  }

  encode(index: FlvIndex): Uint8Array {
    return encodeFlvIndex(index);
  }

  decode(bytes: Uint8Array, size: number): FlvIndex | undefined {
    const index = decodeFlvIndex(bytes, size);
    return this.#steps && index?.steps === undefined ? undefined : index;
  }

  plan(index: FlvIndex, object: MediaObject, seek: Seek): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    return perform(planFlv(index, object, seek, this.options, this.name));
  }
}
