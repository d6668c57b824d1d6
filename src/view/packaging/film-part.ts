import { EdgeError } from '../../base/errors.js';
import { type Reading, whenThere } from '../../media/io/reading.js';
import type { MediaPackage, MediaPackager, PackageTrack, Segmentation } from '../../media/packaging/media-package.js';
import type { TrackFile, TrackFiles } from '../../media/packaging/track-file.js';
import type { MediaObject } from '../../media/seek/media.js';
import { literal, type Span } from '../../virtual-file/span.js';
import { keyFramePlaylist } from './hls/key-frame-playlist.js';
import { mediaPlaylist, type PlaylistOptions } from './hls/media-playlist.js';
import { needDates, type Times, targetDuration } from './presentation/durations.js';
import type { KeyFrameRow, PresentedMedia } from './presentation/presentation.js';
import { keyFrameRow, presentTrack, trackNamed } from './tracks/film-tracks.js';
import type { TrackPart } from './url/packaged-path.js';
import { trackNameText } from './url/track-name.js';

/** What is asked for of a track. */
export interface PartOptions extends Omit<PlaylistOptions, 'target' | 'isDated'> {
  readonly part: TrackPart;
  readonly segmentation: Segmentation;
}

/** The bytes of an answer, and what they are. */
export interface PartBody {
  readonly spans: readonly Span[];
  readonly contentType: string;
}

export const PLAYLIST = 'application/vnd.apple.mpegurl';
const MEDIA = { video: 'video/mp4', audio: 'audio/mp4' } as const;

/**
 * A part of a video or sound track.
 * @throws EdgeError (or rejects with one) `not_found`, and what the packager throws
 */
export function* filmPart(
  object: MediaObject,
  { part, segmentation, addressing, query }: PartOptions,
  files: TrackFiles,
  packager: MediaPackager,
): Reading<PartBody> {
  const pack = yield* whenThere(packager.package(object, segmentation));
  const track = trackNamed(pack, part.track);
  if (track === undefined) throw missing('track');
  const file = files.of(track);
  const read = (first: number, end: number) => packager.samples(object, track, first, end);
  const contentType = MEDIA[track.kind as keyof typeof MEDIA];
  switch (part.kind) {
    case 'init':
      return { spans: [literal(file.init)], contentType };
    case 'trackFile':
      return { spans: file.spans(read), contentType };
    case 'segment':
      if (part.number > track.segments.count) throw missing('segment');
      return { spans: file.segment(part.number - 1, read), contentType };
    case 'keyFrame': {
      const frames = yield* whenThere(packager.keyFrames(object, track));
      if (part.number > frames.times.length) throw missing('key frame');
      return { spans: file.keyFrameSegment(frames, part.number - 1, read), contentType };
    }
    case 'keyFramePlaylist': {
      const row = keyFrameRow(yield* whenThere(packager.keyFrames(object, track)), track, file);
      if (row === undefined) throw missing('key frame');
      return textBody(keyFramePlaylist(presented(track, file, part, row), row, query), PLAYLIST);
    }
    default: {
      const times = timesOf(pack);
      const [target, isDated] = [targetDuration(times), needDates(times, part.track.file > 0)];
      const media = presented(track, file, part, undefined);
      return textBody(mediaPlaylist(media, { addressing, target, isDated, query }), PLAYLIST);
    }
  }
}

/** Text as the body of an answer. */
export function textBody(text: string, contentType: string): PartBody {
  return { spans: [literal(Buffer.from(text))], contentType };
}

/** The error of something that the grammar knows and the film has not. */
export function missing(what: 'track' | 'segment' | 'key frame' | 'file'): EdgeError {
  return new EdgeError('not_found', `the film has no such ${what}: its playlist tells what there is`);
}

function presented(
  track: PackageTrack,
  file: TrackFile,
  part: TrackPart,
  row: KeyFrameRow | undefined,
): PresentedMedia {
  const name = trackNameText(part.track);
  return { ...presentTrack(track, file, row), name, label: name, isDefault: false };
}

/** The tracks of a film as they are decoded, which decide what all of their playlists have in common. */
function timesOf({ tracks }: MediaPackage): Times[] {
  return tracks
    .filter(({ kind }) => kind !== 'text')
    .map(({ segments: { times }, timescale }) => ({ begins: times, timescale }));
}
