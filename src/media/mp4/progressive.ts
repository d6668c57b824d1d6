import type { ByteSource } from '../../base/byte-source.js';
import type { Span } from '../../virtual-file/span.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { COMPILE_BUDGET, MeteredSource } from '../io/metered-source.js';
import { perform, type Reading } from '../io/reading.js';
import type { Beginning, Format } from '../seek/format.js';
import type { MediaObject } from '../seek/media.js';
import type { Seek } from '../seek/seek.js';
import { seekEtag } from '../seek/seek-etag.js';
import { fourcc } from './box/box.js';
import { moveMovieFirst } from './cut/faststart.js';
import { layOut } from './cut/layout.js';
import { beginningOf, cutMovie } from './cut/movie-cut.js';
import { compileMovie } from './index/compile.js';
import { durationOf, type MovieIndex, weightOf } from './index/movie-index.js';
import { decodeMovie } from './index/movie-index-reader.js';
import { encodeMovie } from './index/movie-index-writer.js';
import { lookUp } from './table/table-bytes.js';

/** Options of `ProgressiveMp4`. */
export interface ProgressiveMp4Options {
  /**
   * `keyframe`: answers begin at the last key frame at or before `start`. `exact`: they begin at `start`, and an edit
   * hides what must be decoded before it.
   */
  readonly seek: 'keyframe' | 'exact';
  /** Bytes of the largest movie box that is accepted. */
  readonly maxMoov: number;
}

/** Types of boxes that a file of the ISO base media or QuickTime family begins with. */
const FIRST_BOXES = new Set([
  ...['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot', 'uuid', 'styp', 'pdin'],
  ...['junk', 'pict', 'PICT', 'prfl', 'udta', 'meta'],
]);

/** MP4, M4A and QuickTime files whose movie box holds all sample tables (ISO/IEC 14496-12 without movie fragments). */
export class ProgressiveMp4 implements Format<MovieIndex> {
  readonly name = 'mp4-2';
  readonly limits: string;

  constructor(private readonly options: ProgressiveMp4Options) {
    this.limits = ` maxMoov=${options.maxMoov}`;
  }

  matches(head: Uint8Array): boolean {
    return head.length >= 8 && FIRST_BOXES.has(fourcc(head, 4));
  }

  compile(source: ByteSource): MovieIndex | undefined | Promise<MovieIndex | undefined> {
    return perform(compileMovie(MeteredSource.over(source, COMPILE_BUDGET), this.options));
  }

  duration(index: MovieIndex): number {
    return durationOf(index);
  }

  weight(index: MovieIndex): number {
    return weightOf(index);
  }

  encode(index: MovieIndex): Uint8Array {
    return encodeMovie(index);
  }

  decode(bytes: Uint8Array, size: number): MovieIndex | undefined {
    return decodeMovie(bytes, size);
  }

  beginning(index: MovieIndex, source: ByteSource, seek: Seek): Beginning | undefined | Promise<Beginning | undefined> {
    if (this.options.seek === 'exact' || cutsNothing(index, seek)) return undefined;
    return perform(this.#beginning(index, source, seek));
  }

  plan(
    index: MovieIndex,
    object: MediaObject,
    seek: Seek,
    beginning?: number,
  ): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    if (cutsNothing(index, seek)) {
      const whole = this.whole(index, object);
      return whole && { ...whole, seekActual: 0 };
    }
    return perform(this.#cut(index, object, seek, beginning));
  }

  /** The whole file with its movie box in front; undefined when it is there already. */
  whole(index: MovieIndex, object: MediaObject): VirtualFile | undefined {
    const spans = moveMovieFirst(index);
    return spans && fileOf(object, seekEtag(object.etag, this.name, ['faststart']), spans, undefined);
  }

  #beginning(index: MovieIndex, source: ByteSource, seek: Seek): Reading<Beginning> {
    return lookUp(source, bytes => beginningOf(bytes, index, seek, this.options.seek === 'exact'));
  }

  *#cut(index: MovieIndex, object: MediaObject, seek: Seek, beginning: number | undefined): Reading<VirtualFile> {
    const start = beginning ?? (yield* this.#beginning(index, object.source, seek)).second;
    const cut = yield* lookUp(object.source, bytes => cutMovie(bytes, index, start, seek.end));
    const etag = seekEtag(object.etag, this.name, ['cut', cut.start, cut.end ?? 'end']);
    return fileOf(object, etag, layOut(index, cut), cut.start);
  }
}

/** Whether a seek is for all of the film. */
function cutsNothing(index: MovieIndex, { start, end }: Seek): boolean {
  return start === 0 && end !== undefined && end >= durationOf(index);
}

function fileOf(
  { lastModified, contentType }: MediaObject,
  etag: string,
  spans: readonly Span[],
  seekActual: number | undefined,
): VirtualFile {
  const size = spans.reduce((sum, span) => sum + span.length, 0);
  return { size, etag, lastModified, contentType, spans, seekActual };
}
