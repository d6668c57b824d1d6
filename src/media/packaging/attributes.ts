import { codecString, supplementalCodecs } from '../codec/codec-string.js';
import { pictureOf } from '../codec/picture.js';
import { parseSampleEntry, type SampleEntry } from '../codec/sample-entry.js';
import { soundOf } from '../codec/sound.js';
import { SAMPLE_DURATION } from '../fmp4/moof.js';
import { u32 } from '../mp4/box/box.js';
import type { PackageTrack } from './media-package.js';

/** A number of frames a second, in lowest terms. */
export interface FrameRate {
  readonly num: number;
  readonly den: number;
}

/** How much light pictures have (RFC 8216bis section 4.4.6.2, VIDEO-RANGE). */
export type VideoRange = 'SDR' | 'HLG' | 'PQ';

/** What playlists say of a track, beside its times and bytes. What does not apply, or is not known, is left out. */
export interface TrackAttributes {
  /** For a `codecs` parameter (RFC 6381). */
  readonly codecs: string;
  /** SUPPLEMENTAL-CODECS: the Dolby Vision in what others play, too. */
  readonly supplementalCodecs?: string;
  /** Square pixels that pictures cover as they are shown: shape of pixels and turning included. */
  readonly width?: number;
  readonly height?: number;
  /** Exact where frames are equally long, else that of their mean. */
  readonly frameRate?: FrameRate;
  readonly videoRange?: VideoRange;
  /** That the decoder gives. */
  readonly channels?: number;
  /** Most objects of Dolby Atmos in E-AC-3: CHANNELS is then `16/JOC`. */
  readonly jointObjects?: number;
  /** Hertz that the decoder gives. */
  readonly sampleRate?: number;
  /** BCP 47. */
  readonly language?: string;
}

/** TransferCharacteristics (ISO/IEC 23091-2 section 8.2) that are not those of SDR. */
const RANGES: Readonly<Record<number, VideoRange>> = { 16: 'PQ', 18: 'HLG' };

/**
 * What playlists say of a track.
 * @param entry the sample entry of the init segment, where that is not the source's
 * @throws EdgeError `unplayable` when the entry is no box, or ends within its fields
 */
export function attributesOf(track: PackageTrack, entry = track.entry): TrackAttributes {
  const parsed = parseSampleEntry(entry, track.handler);
  return {
    codecs: codecString(parsed).replace(NOT_IN_NAMES, ''),
    ...(track.kind === 'video' && pictureAttributes(track, parsed)),
    ...(track.kind === 'audio' && soundAttributes(parsed)),
    ...(track.language !== '' && track.language !== 'und' && { language: track.language }),
  };
}

/** What a type of a sample entry may hold, but no playlist between quotes. */
const NOT_IN_NAMES = /[^\w.-]/g;

function pictureAttributes(track: PackageTrack, entry: SampleEntry): Partial<TrackAttributes> {
  const { transfer, ...upright } = pictureOf(entry);
  const [width, height] = isTurned(track.matrix) ? [upright.height, upright.width] : [upright.width, upright.height];
  const frameRate = frameRateOf(track);
  const dolby = supplementalCodecs(entry);
  return {
    ...(width > 0 && height > 0 && { width, height }),
    ...(frameRate && { frameRate }),
    videoRange: RANGES[transfer] ?? 'SDR',
    ...(dolby !== undefined && { supplementalCodecs: dolby }),
  };
}

/** Whether a matrix of `tkhd` (ISO/IEC 14496-12 section 8.3.2) lays pictures on their side, as phones do. */
function isTurned(matrix: Uint8Array): boolean {
  if (matrix.length < 36) return false;
  const [a, b, , c, d] = Array.from({ length: 5 }, (_, i) => u32(matrix, i * 4));
  return a === 0 && d === 0 && b !== 0 && c !== 0;
}

function soundAttributes(entry: SampleEntry): Partial<TrackAttributes> {
  const { channels, sampleRate, jointObjects } = soundOf(entry);
  return {
    ...(channels > 0 && { channels }),
    ...(sampleRate > 0 && { sampleRate }),
    ...(jointObjects > 0 && { jointObjects }),
  };
}

/** Rates that are meant by means that come this near, a part of them: times of films are rounded to ticks. */
const NEAR = 0.0004;
const NTSC = { num: 1000, den: 1001 } as const;

function frameRateOf({ timescale, defaultDuration, segments }: PackageTrack): FrameRate | undefined {
  const { count, samples, times, fields } = segments;
  const frames = samples[count]! - samples[0]!;
  const ticks = times[count]! - times[0]!;
  if (!(frames > 0 && ticks > 0)) return undefined;
  let own = 0;
  for (const bits of fields) if ((bits & SAMPLE_DURATION) !== 0) own++;
  // The last segments of a film with equal frames may have a longer or shorter one.
  if (defaultDuration > 0 && own * 2 < count) return lowest(timescale, defaultDuration);
  const mean = (frames * timescale) / ticks;
  for (const { num, den } of [{ num: 1, den: 1 }, NTSC]) {
    const whole = Math.round((mean * den) / num);
    if (whole > 0 && Math.abs((whole * num) / den / mean - 1) < NEAR) return lowest(whole * num, den);
  }
  return lowest(Math.max(1, Math.round(mean * 1000)), 1000);
}

function lowest(num: number, den: number): FrameRate {
  let [a, b] = [num, den];
  while (b > 0) [a, b] = [b, a % b];
  return { num: num / a, den: den / a };
}
