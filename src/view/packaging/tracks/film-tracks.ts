import { attributesOf } from '../../../media/packaging/attributes.js';
import type { KeyFrames, MediaPackage, PackageTrack, TrackKind } from '../../../media/packaging/media-package.js';
import type { TrackFile } from '../../../media/packaging/track-file.js';
import type { KeyFrameRow, PresentedMedia } from '../presentation/presentation.js';
import type { TrackName } from '../url/track-name.js';

/** How URLs call the kinds of tracks. */
const LETTERS: Readonly<Record<TrackKind, TrackName['kind']>> = { video: 'v', audio: 'a', text: 's' };

/** A track of a package, and its name in URLs. */
export interface NamedTrack {
  readonly track: PackageTrack;
  readonly name: TrackName;
}

/** The tracks of a package by the names that they have in URLs. @param file its place in a set, 0 for none */
export function namedTracks({ tracks }: MediaPackage, file: number): NamedTrack[] {
  const numbers = { v: 0, a: 0, s: 0 };
  return tracks.map(track => {
    const kind = LETTERS[track.kind];
    numbers[kind]++;
    return { track, name: { file, kind, number: numbers[kind] } };
  });
}

/** The track of a package that a name means. */
export function trackNamed(pack: MediaPackage, { kind, number }: TrackName): PackageTrack | undefined {
  return namedTracks(pack, 0).find(({ name }) => name.kind === kind && name.number === number)?.track;
}

/**
 * What manifests tell of a video or sound track, but its label.
 * @throws EdgeError `unplayable`
 */
export function presentTrack(
  track: PackageTrack,
  file: TrackFile,
  keyFrames: KeyFrameRow | undefined,
): Omit<PresentedMedia, 'name' | 'label' | 'isDefault'> {
  const { count, begins, times } = track.segments;
  const { offsets } = file;
  const sizes = new Float64Array(count);
  for (let row = 0; row < count; row++) sizes[row] = offsets[row + 1]! - offsets[row]!;
  return {
    kind: track.kind as PresentedMedia['kind'],
    attributes: attributesOf(track, file.entry),
    language: track.language,
    begins,
    decodes: times,
    timescale: track.timescale,
    sizes,
    layout: { initSize: file.init.length, sidx: file.sidx, offsets },
    openGops: track.openGops,
    keyFrames,
  };
}

/** The key frames of a track as playlists have them; undefined when it has none. */
export function keyFrameRow(frames: KeyFrames, track: PackageTrack, file: TrackFile): KeyFrameRow | undefined {
  const count = frames.times.length;
  if (count === 0) return undefined;
  const begins = new Float64Array(count + 1);
  begins.set(frames.times);
  begins[count] = track.end;
  return { begins, sizes: file.keyFrameSizes(frames) };
}
