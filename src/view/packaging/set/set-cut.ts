import { type Reading, whenThere } from '../../../media/io/reading.js';
import type { CutPoints, MediaPackager, Segmentation } from '../../../media/packaging/media-package.js';
import type { ClipTimes } from '../url/version.js';
import { areDense, commonCut, commonPoints, leadsOf } from './common-boundaries.js';
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
  /** Seconds that films wait for others, by their paths. */
  readonly leads: ReadonlyMap<string, number>;
  /** Segments of all videos begin together. */
  readonly aligned: boolean;
  /** Paths of the films that are part of it: what of the set is there, without what does not go with the rest. */
  readonly films: readonly string[];
  readonly notes: readonly string[];
}

/** How a file of a set is cut. */
export function segmentationOf({ segmentation, leads }: SetCut, path: string): Segmentation {
  const lead = leads.get(path);
  return lead === undefined ? segmentation : { ...segmentation, lead };
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
  const asTheyAre = { segmentation: alone, leads: new Map<string, number>() };
  if (films.length < 2) return { ...asTheyAre, aligned: true, films: pathsOf(films), notes: [] };
  const { videos, odd } = withoutOdd(yield* videosOf(films, packager), target);
  const notes = odd.map(({ film, reason }) => leftOut(film.member.path, { message: reason }));
  const kept = films.filter(film => odd.every(other => other.film !== film));
  const found = placesOf(videos, target);
  if (found === undefined) {
    notes.push(APART);
    if (clip === undefined) return { ...asTheyAre, aligned: false, films: pathsOf(kept), notes };
    notes.push('clips are made of the first file only');
    return { ...asTheyAre, aligned: true, films: pathsOf(kept.slice(0, 1)), notes };
  }
  const { start: begin, boundaries } = commonCut(found.common, start ?? 0, target);
  const segmentation = { ...alone, boundaries, start: start === undefined ? undefined : begin };
  return { segmentation, leads: leadsIn(kept, videos, found.leads), aligned: true, films: pathsOf(kept), notes };
}

/** Where all videos can be cut, once they have waited for each other if they must; undefined where they hardly can. */
function placesOf(
  videos: readonly Video[],
  target: number,
): { readonly common: readonly number[]; readonly leads: readonly number[] } | undefined {
  const points = videos.map(video => video.points.seconds);
  for (const leads of [points.map(() => 0), leadsOf(points)]) {
    const moved = points.map((seconds, i) => seconds.map(second => second + leads[i]!));
    const common = commonPoints(moved);
    if (areDense(common, moved, target)) return { common, leads };
  }
  return undefined;
}

/** The films that wait for others. Sound on its own goes with the first pictures. */
function leadsIn(
  films: readonly OpenMember[],
  videos: readonly Video[],
  leads: readonly number[],
): ReadonlyMap<string, number> {
  const found = films.map((film): [path: string, lead: number] => {
    const video = videos.findIndex(each => each.film === film);
    return [film.member.path, leads[Math.max(0, video)] ?? 0];
  });
  return new Map(found.filter(([, lead]) => lead > 0));
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
