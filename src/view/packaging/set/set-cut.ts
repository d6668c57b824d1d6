import { type Reading, whenThere } from '../../../media/io/reading.js';
import type { MediaPackager, Segmentation } from '../../../media/packaging/media-package.js';
import type { ClipTimes } from '../url/version.js';
import { areDense, commonCut, commonPoints } from './common-boundaries.js';
import { isLasting, type OpenMember } from './opened-set.js';

/** How long segments are. */
export interface CutOptions {
  /** Milliseconds. */
  readonly segment: number;
  /** Least part of that which a last segment may last. */
  readonly lastSegment: number;
}

/** How the films of a set are cut. */
export interface SetCut {
  readonly segmentation: Segmentation;
  /** Segments of all videos begin together. */
  readonly aligned: boolean;
  /** Only the first film is part of it: a clip of the others would begin elsewhere. */
  readonly isFirstOnly: boolean;
  readonly notes: readonly string[];
}

/** The films of a set, in one line: where key frames of all coincide, if there are enough of those. */
export function* cutSet(
  films: readonly OpenMember[],
  clip: ClipTimes | undefined,
  { segment, lastSegment }: CutOptions,
  packager: MediaPackager,
): Reading<SetCut> {
  const target = segment / 1000;
  const start = clip && clip.start / 1000;
  const end = clip?.end === undefined ? undefined : clip.end / 1000;
  const alone = { segmentation: { target, shortest: lastSegment, start, end }, isFirstOnly: false, notes: [] };
  if (films.length < 2) return { ...alone, aligned: true };
  const points: Float64Array[] = [];
  for (const { media } of films) {
    const found = yield* pointsOf(media, packager);
    if (found.length > 0) points.push(found);
  }
  const common = commonPoints(points);
  if (!areDense(common, points, target)) {
    const notes = [
      'key frames of the files do not coincide: each is cut on its own, and players may stumble as they change',
    ];
    if (clip === undefined) return { ...alone, notes, aligned: false };
    return { ...alone, notes: [...notes, 'clips are made of the first file only'], aligned: true, isFirstOnly: true };
  }
  const { start: begin, boundaries } = commonCut(common, start ?? 0, target);
  const segmentation = {
    target,
    shortest: lastSegment,
    boundaries,
    start: start === undefined ? undefined : begin,
    end,
  };
  return { segmentation, aligned: true, isFirstOnly: false, notes: [] };
}

/** The points of a film; none of one that can't be packaged, which is told when it is. */
function* pointsOf(media: OpenMember['media'], packager: MediaPackager): Reading<Float64Array> {
  try {
    return yield* whenThere(packager.points(media));
  } catch (error) {
    if (!isLasting(error)) throw error;
    return new Float64Array();
  }
}
