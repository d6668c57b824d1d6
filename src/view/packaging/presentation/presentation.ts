import type { TrackAttributes } from '../../../media/packaging/attributes.js';

/** What players are told of every kind of track. */
interface Presented {
  /** Name in URLs, such as `v1`. */
  readonly name: string;
  /** Name for people; unique among the tracks of its kind, one line. */
  readonly label: string;
  /** BCP 47, `und` when it is not known. */
  readonly language: string;
  /** Played unless the viewer chooses another one; exactly one of the sound tracks of a group. */
  readonly isDefault: boolean;
  /** When its segments begin, in ticks of the presentation, and one more: when the last ends. */
  readonly begins: Float64Array;
  /** Ticks of a second. */
  readonly timescale: number;
}

/** Where the parts of a track stand in the file that holds all of it, in bytes. */
export interface TrackLayout {
  readonly initSize: number;
  readonly sidx: { readonly offset: number; readonly length: number };
  /** First byte of each segment, and one more: the size of the file. */
  readonly offsets: Float64Array;
}

/** A video or sound track. */
export interface PresentedMedia extends Presented {
  readonly kind: 'video' | 'audio';
  /** When its segments begin to be decoded (`tfdt`), in ticks, and one more: when the last has been. */
  readonly decodes: Float64Array;
  readonly attributes: TrackAttributes;
  /** Bytes of each segment, its headers included. */
  readonly sizes: Float64Array;
  readonly layout: TrackLayout;
  /** Some segment begins with frames that need the segment before. */
  readonly openGops: boolean;
  /** Key frames that can be shown on their own; undefined for sound, and for video all of whose frames are. */
  readonly keyFrames: KeyFrameRow | undefined;
}

/** The key frames of a track, as they are played in fast motion. */
export interface KeyFrameRow {
  /** When each is shown, in ticks of the presentation, and one more: when the last ends. */
  readonly begins: Float64Array;
  /** Bytes of each as a segment of its own. */
  readonly sizes: Float64Array;
}

/** Subtitles. */
export interface PresentedText extends Presented {
  readonly kind: 'text';
  /** Shown also to viewers who want no subtitles: translations of what is said in other languages. */
  readonly isForced: boolean;
  /** Bytes of all its text, about. */
  readonly size: number;
  /**
   * They may be asked for as one file: what is in the film is not, since it lies all over it, but as segments of MP4.
   */
  readonly isWhole: boolean;
}

/** Everything that manifests tell of a film or a set, and nothing of where it comes from. Immutable. */
export interface Presentation {
  /** The segment `V` of its URLs. */
  readonly version: string;
  /** Seconds. */
  readonly duration: number;
  readonly videos: readonly PresentedMedia[];
  readonly audios: readonly PresentedMedia[];
  readonly texts: readonly PresentedText[];
  /** The segments of all videos begin at the same times. */
  readonly aligned: boolean;
  /** What could not be packaged, and why: a line each. */
  readonly notes: readonly string[];
}
