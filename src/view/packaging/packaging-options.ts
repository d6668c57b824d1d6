import type { DashProfile } from './dash/segments.js';
import type { SegmentAddressing } from './hls/media-playlist.js';
import type { CutOptions } from './set/set-cut.js';

/** How films are packaged; all that is not a matter of memory decides bytes, and so the version in URLs. */
export interface PackagingOptions extends CutOptions {
  readonly hls: SegmentAddressing;
  readonly dash: DashProfile;
  /** Whether HEVC is called `hvc1` where it can be. */
  readonly hvc1: boolean;
  /** What players show of a track: what the file calls it, or its language. */
  readonly names: 'title' | 'language';
  /** Ends of the names of subtitle files beside films. */
  readonly subtitles: readonly string[];
  /** Bytes of playlists, subtitles and what they are made from that are kept in memory. */
  readonly memory: number;
}
