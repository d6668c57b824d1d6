import { type Reading, whenThere } from '../../../media/io/reading.js';
import type { CutPoints, MediaPackager, Segmentation } from '../../../media/packaging/media-package.js';
import type { ClipTimes } from '../url/version.js';
import { areDense, commonCut, commonPoints } from './common-boundaries.js';
import { isLasting, leftOut, type OpenMember } from './opened-set.js';

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
  /** Paths of the films that are part of it: what of the set is there, without what does not go with the rest. */
  readonly films: readonly string[];
  readonly notes: readonly string[];
}

/** A film with pictures, and where it could be cut. */
interface Video {
  readonly film: OpenMember;
  readonly points: CutPoints;
}

const APART = 'key frames of the files do not coincide: each is cut on its own, and players may stumble as they change';

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
  const alone = { target, shortest: lastSegment, start, end };
  if (films.length < 2) return { segmentation: alone, aligned: true, films: pathsOf(films), notes: [] };
  const { videos, odd } = withoutOdd(yield* videosOf(films, packager), target);
  const notes = odd.map(({ film, reason }) => leftOut(film.member.path, { message: reason }));
  const kept = films.filter(film => odd.every(other => other.film !== film));
  const points = videos.map(video => video.points.seconds);
  const common = commonPoints(points);
  if (!areDense(common, points, target)) {
    notes.push(APART);
    if (clip === undefined) return { segmentation: alone, aligned: false, films: pathsOf(kept), notes };
    notes.push('clips are made of the first file only');
    return { segmentation: alone, aligned: true, films: pathsOf(kept.slice(0, 1)), notes };
  }
  const { start: begin, boundaries } = commonCut(common, start ?? 0, target);
  const segmentation = { ...alone, boundaries, start: start === undefined ? undefined : begin };
  return { segmentation, aligned: true, films: pathsOf(kept), notes };
}

function pathsOf(films: readonly OpenMember[]): string[] {
  return films.map(({ member }) => member.path);
}

/** The films with pictures. One that can't be packaged is none, which is told when it is. */
function* videosOf(films: readonly OpenMember[], packager: MediaPackager): Reading<Video[]> {
  const videos: Video[] = [];
  for (const film of films) {
    try {
      const points = yield* whenThere(packager.points(film.media));
      if (points.seconds.length > 0) videos.push({ film, points });
    } catch (error) {
      if (!isLasting(error)) throw error;
    }
  }
  return videos;
}

/**
 * Leaves out what is as long as no rendition of the same film: it is another film, or one that was cut off, and players
 * would end, or wait for ever, where they change to it. What half of the set lasts at least is taken for right.
 * @param target seconds that lengths may differ by
 */
function withoutOdd(
  videos: readonly Video[],
  target: number,
): { videos: readonly Video[]; odd: readonly { film: OpenMember; reason: string }[] } {
  const lengths = videos.map(({ points }) => points.duration).sort((a, b) => b - a);
  const usual = lengths[(lengths.length - 1) >> 1] ?? 0;
  const isOdd = ({ points }: Video) => Math.abs(points.duration - usual) > target;
  const odd = videos.filter(isOdd).map(({ film, points }) => ({
    film,
    reason: `it lasts ${points.duration.toFixed(3)} s, where the set lasts ${usual.toFixed(3)} s`,
  }));
  return { videos: videos.filter(video => !isOdd(video)), odd };
}
