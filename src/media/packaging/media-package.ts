import type { MediaObject } from '../seek/media.js';

/**
 * What a `MediaPackager` tells of an object: its tracks, each cut into segments. Everything here is on the package's
 * timeline: seconds, or ticks of a track, of which 0 is the earliest moment that any track presents, so that
 * all tracks are off from the source's presentation by the same time.
 */

/** What a track is for players. */
export type TrackKind = 'video' | 'audio' | 'text';

/** Samples that follow each other in a track, in the order of decoding; an entry each. Ticks of the track. */
export interface SampleRun {
  readonly count: number;
  /** First byte in the object. */
  readonly offsets: Float64Array;
  /** Bytes. */
  readonly sizes: Uint32Array;
  readonly durations: Uint32Array;
  /**
   * Presentation is decoding time and this, less `PackageTrack.editMedia`. At least 0, since players built on ffmpeg
   * present fragments with negative ones late.
   */
  readonly compositions: Int32Array;
  /** `sample_flags` (ISO/IEC 14496-12 section 8.8.3.1). */
  readonly flags: Uint32Array;
}

/** Segments of a track: a row each, and in columns of `count + 1` a last row that ends them. */
export interface SegmentRows {
  readonly count: number;
  /** `count + 1`: number of the first sample, as the source counts. Each segment has at least one. */
  readonly samples: Float64Array;
  /** `count + 1`: decoding time of the first sample (`tfdt`), ticks, at least 0. */
  readonly times: Float64Array;
  /** `count + 1`: earliest presentation of the segment, ticks, at least 0, rising; the last is the track's end. */
  readonly begins: Float64Array;
  /** `count + 1`: bytes of all samples before the segment. */
  readonly bytes: Float64Array;
  /**
   * `count`: fields that each sample has in the `trun`, as flags of that box: `SAMPLE_DURATION`, `SAMPLE_SIZE`,
   * `SAMPLE_FLAGS`, `SAMPLE_OFFSET` of `fmp4/moof.ts`. What is left out is the track's default or, for flags, its rule
   * (`PackageTrack.syncs`); an offset left out is 0.
   */
  readonly fields: Uint16Array;
}

/** A track of a package. */
export interface PackageTrack {
  /** Its place in `MediaPackage.tracks`. */
  readonly index: number;
  /** `track_ID` in the source. */
  readonly id: number;
  readonly kind: TrackKind;
  /** Handler type in the source: `vide`, `soun`, `sbtl` … */
  readonly handler: string;
  /** Ticks per second. */
  readonly timescale: number;
  /** BCP 47, of `elng` or `mdhd`; `und` where they do not tell. */
  readonly language: string;
  /** Name of `hdlr`, or of the track's `udta`; '' where they say nothing. */
  readonly name: string;
  readonly enabled: boolean;
  /** `alternate_group` of `tkhd`; 0 for none. */
  readonly alternateGroup: number;
  /** `matrix` of `tkhd`, 36 bytes, by which players turn the picture; its width and height in 1/65536 of a pixel. */
  readonly matrix: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** The sample entry of `stsd`, the whole box as in the source. */
  readonly entry: Uint8Array;
  /** Of samples without the field, ticks and bytes; 0 when every row has it. */
  readonly defaultDuration: number;
  readonly defaultSize: number;
  /**
   * `media_time` of the one edit that the init segment has, ticks: what is decoded before the track's presentation
   * begins, such as the priming of sound, and by how much later pictures are presented than decoded. 0: no edit list.
   */
  readonly editMedia: number;
  /** Ticks that composition offsets are less than in the source, of which this is the least. */
  readonly compositionShift: number;
  readonly segments: SegmentRows;
  /** When the presentation ends, ticks. */
  readonly end: number;
  /** Whether a key frame is followed by samples that are presented before it. */
  readonly openGops: boolean;
  /**
   * Which samples are sync samples where a row has no field for flags: all, or the first of each segment and no other.
   */
  readonly syncs: 'all' | 'first';
}

/** A track that players are not given, and why. */
export interface OmittedTrack {
  readonly id: number;
  readonly handler: string;
  readonly reason: string;
}

/** One object, cut one way. Immutable. */
export interface MediaPackage {
  /** Bytes of the object. */
  readonly size: number;
  readonly tracks: readonly PackageTrack[];
  /** Seconds from 0 to the latest end of a track. */
  readonly duration: number;
  /** Second of the source's presentation, as progressive players count, that is 0 here; may be negative. */
  readonly origin: number;
  readonly omitted: readonly OmittedTrack[];
}

/** How an object is cut. */
export interface Segmentation {
  /** Seconds of a segment: each begins with the first key frame at or after a multiple of it. */
  readonly target: number;
  /** Least part of the target that a last segment may last; a shorter one is part of the one before. */
  readonly shortest: number;
  /** Seconds of the package's timeline, rising, in place of multiples of the target: where a set is cut. */
  readonly boundaries?: Float64Array | undefined;
  /** Seconds before its earliest presentation, at least 0: where others of a set begin earlier. */
  readonly lead?: number | undefined;
  /**
   * Seconds of the object's whole package: a clip. It begins with the key frame at or before `start`, in all tracks,
   * and that is 0 on its timeline.
   */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** The key frames of a track, an entry each. */
export interface KeyFrames {
  readonly samples: Float64Array;
  /** Presentation, ticks. */
  readonly times: Float64Array;
  /** Bytes. */
  readonly sizes: Float64Array;
}

/** Where the video of a whole object could be cut. */
export interface CutPoints {
  /** Seconds of its package's timeline, rising; none where there is no video. */
  readonly seconds: Float64Array;
  /** Seconds of the package. */
  readonly duration: number;
}

/**
 * Describes objects for packaging. All methods answer at once when what they need is at hand.
 * @throws EdgeError (or rejects with one) `unplayable`, `media_too_large`: the object can't be packaged, and why; and
 *   whatever the source throws
 */
export interface MediaPackager {
  package(object: MediaObject, cut: Segmentation): MediaPackage | Promise<MediaPackage>;
  /** Samples `[first, end)` of a track, as the source counts them; those of rows are meant. */
  samples(object: MediaObject, track: PackageTrack, first: number, end: number): SampleRun | Promise<SampleRun>;
  /** The key frames of a package's track. Of one that has nothing else, one a second. */
  keyFrames(object: MediaObject, track: PackageTrack): KeyFrames | Promise<KeyFrames>;
  /** Where the whole object could be cut, for sets. */
  points(object: MediaObject): CutPoints | Promise<CutPoints>;
}
