import { EdgeError } from '../../base/errors.js';
import { Amf0Reader } from '../../media/flv/amf0.js';
import { configurationOf } from '../../media/flv/frame-data.js';
import { describePayload } from '../../media/flv/payload.js';
import { AUDIO_TAG, VIDEO_TAG } from '../../media/flv/tag.js';
import { SAMPLE_DURATION } from '../../media/fmp4/moof.js';
import { attributesOf, type TrackAttributes } from '../../media/packaging/attributes.js';
import { entryOfConfiguration } from '../../media/packaging/entry-of-configuration.js';
import { initSegment } from '../../media/packaging/init-segment.js';
import type { PackageTrack } from '../../media/packaging/media-package.js';
import type { LiveHeaders } from '../ring/live-tag.js';
import type { HlsTrackName } from './hls-url.js';

/** Ticks a second of all tracks: FLV has milliseconds. */
const TIMESCALE = 1000;

/** One track as its codec's configuration describes it. */
export interface HlsCodec {
  /** The init segment. */
  readonly init: Uint8Array;
  /** For playlists. @param frames how many frames last so many milliseconds */
  attributes(frames: number, milliseconds: number): TrackAttributes;
}

/** The tracks of a stream, while its codecs stay as they are; or why HLS can't have them. */
export type HlsCodecs =
  | { readonly tracks: ReadonlyMap<HlsTrackName, HlsCodec>; readonly refusal?: undefined }
  | { readonly refusal: EdgeError; readonly tracks?: undefined };

/** Names of the tracks, by types of FLV tags. */
export const TRACK_TYPES: Readonly<Record<HlsTrackName, number>> = { v1: VIDEO_TAG, a1: AUDIO_TAG };

/**
 * Reads the headers of a stream.
 * @param sound data of a tag of sound, which tells the codec of one that has no configuration
 */
export function hlsCodecs(headers: LiveHeaders, picture?: Uint8Array, sound?: Uint8Array): HlsCodecs {
  try {
    const tracks = new Map<HlsTrackName, HlsCodec>();
    const { video, audio } = headers;
    if (headers.hasVideo)
      tracks.set(
        'v1',
        codecOf('v1', video, picture, () => announcedSize(headers.metadata)),
      );
    if (headers.hasAudio)
      tracks.set(
        'a1',
        codecOf('a1', audio, sound, () => undefined),
      );
    if (tracks.size === 0) throw new EdgeError('unplayable', 'the stream has neither video nor sound yet');
    return { tracks };
  } catch (error) {
    if (error instanceof EdgeError) return { refusal: error };
    throw error;
  }
}

const TRACK_WORDS: Readonly<Record<HlsTrackName, string>> = { v1: 'video', a1: 'sound' };
const WISHES: Readonly<Record<HlsTrackName, string>> = { v1: 'H.264, HEVC, AV1 or VP9', a1: 'AAC or Opus' };

function codecOf(
  name: HlsTrackName,
  header: Uint8Array | undefined,
  frame: Uint8Array | undefined,
  size: () => { width: number; height: number } | undefined,
): HlsCodec {
  const type = TRACK_TYPES[name];
  const configuration = header && configurationOf(type, header);
  if (configuration === undefined) {
    const shown = header ?? frame;
    const found = shown === undefined ? 'none' : describePayload(type, shown).codec;
    throw refused(name, `found ${found === 'none' ? 'no configuration' : `${found} without one`}`);
  }
  try {
    const written = entryOfConfiguration(configuration.codec, configuration.bytes, size());
    const track = trackOf(name, written);
    const init = initSegment(track, written.entry);
    // What can't be told of it is told now rather than at each request.
    attributesOf(track);
    return {
      init,
      attributes: (frames, milliseconds) => attributesOf({ ...track, segments: measured(frames, milliseconds) }),
    };
  } catch (error) {
    if (error instanceof EdgeError) throw refused(name, error.message);
    throw error;
  }
}

function refused(name: HlsTrackName, reason: string): EdgeError {
  const word = TRACK_WORDS[name];
  return new EdgeError(
    'unplayable',
    `HLS can't have the ${word} of this stream: expected the configuration of ${WISHES[name]}; ${reason}. It can be watched as FLV`,
  );
}

const MATRIX = Uint8Array.from([0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000].flatMap(bigEndian));

function bigEndian(value: number): number[] {
  return [24, 16, 8, 0].map(shift => (value >>> shift) & 0xff);
}

function trackOf(name: HlsTrackName, { entry, width, height }: { entry: Uint8Array; width: number; height: number }) {
  const isVideo = name === 'v1';
  return {
    ...{ index: 0, id: 1, kind: isVideo ? 'video' : 'audio', handler: isVideo ? 'vide' : 'soun' },
    ...{ timescale: TIMESCALE, language: 'und', name: '', enabled: true, alternateGroup: 0, matrix: MATRIX },
    ...{ width: width * 0x10000, height: height * 0x10000, entry, defaultDuration: 0, defaultSize: 0 },
    ...{ editMedia: 0, compositionShift: 0, segments: measured(0, 0), end: 0, openGops: false },
    syncs: isVideo ? 'first' : 'all',
  } as const satisfies PackageTrack;
}

/** Rows of one segment, of which a frame rate is made. */
function measured(frames: number, milliseconds: number): PackageTrack['segments'] {
  const times = Float64Array.of(0, milliseconds);
  return {
    ...{ count: 1, times, begins: times, samples: Float64Array.of(0, frames), bytes: Float64Array.of(0, 0) },
    fields: Uint16Array.of(SAMPLE_DURATION),
  };
}

/** Width and height in `onMetaData`, which publishers may have wrong; undefined when they are no such numbers. */
function announcedSize(metadata: Uint8Array | undefined): { width: number; height: number } | undefined {
  if (metadata === undefined) return undefined;
  try {
    const reader = new Amf0Reader(metadata);
    const found = new Map(
      reader.properties(reader.skip(0)).map(({ name, value }) => [name, reader.number(value)] as const),
    );
    const isPixels = (number: number | undefined): number is number =>
      Number.isInteger(number) && number! > 0 && number! <= 0xffff;
    const [width, height] = [found.get('width'), found.get('height')];
    return isPixels(width) && isPixels(height) ? { width, height } : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
