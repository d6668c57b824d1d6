import { EdgeError } from '../base/errors.js';
import { defaultConfig } from '../config/schema.js';
import { perform, type Reading, whenThere } from '../media/io/reading.js';
import { Packager } from '../media/packaging/packager.js';
import { TrackFiles } from '../media/packaging/track-file.js';
import type { MediaObject } from '../media/seek/media.js';
import type { IndexOf } from '../media/seek/planner.js';
import { targetDuration, timedTracks } from '../view/packaging/presentation/durations.js';
import type { PresentedMedia } from '../view/packaging/presentation/presentation.js';
import { ratesOf } from '../view/packaging/presentation/rates.js';
import { memberAt } from '../view/packaging/set/member.js';
import { SetTracks } from '../view/packaging/tracks/set-tracks.js';

/** What players of HLS and DASH would get of a film. */
export interface PackagingInspection {
  /** Why it can't be packaged; undefined when it can. */
  readonly refused: string | undefined;
  readonly tracks: readonly TrackInspection[];
  /** What players would not get, and why. */
  readonly leftOut: readonly string[];
}

/** A track of a film as players get it. Times in seconds, rates in bits per second; 0 where they are not told. */
export interface TrackInspection {
  /** As in URLs. */
  readonly name: string;
  readonly codecs: string;
  readonly segments: number;
  readonly shortest: number;
  readonly longest: number;
  readonly peak: number;
  readonly average: number;
}

/** Cuts a film as an edge would that has no settings. */
export async function inspectPackaging(object: MediaObject, found: IndexOf): Promise<PackagingInspection> {
  try {
    return await perform(inspectTracks(object, found));
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return { refused: error.message, tracks: [], leftOut: [] };
  }
}

function* inspectTracks(object: MediaObject, found: IndexOf): Reading<PackagingInspection> {
  const { packaging, indexMemory, indexTime } = defaultConfig().media;
  const packager = new Packager({ planner: { index: () => found }, memory: indexMemory, indexTime });
  const cut = { target: packaging.segment / 1000, shortest: packaging.lastSegment };
  const pack = yield* whenThere(packager.package(object, cut));
  const tracks = new SetTracks(new TrackFiles({ hvc1: packaging.hvc1, memory: 0 }), packager);
  yield* tracks.addFilm({ member: memberAt(object.identity, 'film'), media: object, file: 0, pack });
  const presented = tracks.present(packaging.names === 'title');
  const target = targetDuration(timedTracks(presented));
  const media = [...presented.videos, ...presented.audios].map(track => mediaInspection(track, target));
  const texts = presented.texts.map(({ name, begins, timescale }) => {
    return { name, codecs: 'WebVTT', ...lengthsOf(begins, timescale), peak: 0, average: 0 };
  });
  return { refused: undefined, tracks: [...media, ...texts], leftOut: tracks.notes };
}

function mediaInspection(
  { name, attributes, begins, sizes, timescale }: PresentedMedia,
  target: number,
): TrackInspection {
  const rates = ratesOf(begins, sizes, timescale, target);
  return { name, codecs: attributes.codecs, ...lengthsOf(begins, timescale), ...rates };
}

function lengthsOf(begins: Float64Array, timescale: number) {
  let [shortest, longest] = [Number.POSITIVE_INFINITY, 0];
  for (let row = 0; row + 1 < begins.length; row++) {
    const seconds = (begins[row + 1]! - begins[row]!) / timescale;
    shortest = Math.min(shortest, seconds);
    longest = Math.max(longest, seconds);
  }
  return { segments: begins.length - 1, shortest, longest };
}
