import type { PresentedMedia } from './presentation.js';

/** Tracks of one kind of codec, which a player that knows it can choose among. */
export interface TrackGroup {
  /** Such as `avc1` or `mp4a.40`. */
  readonly family: string;
  /** At least one; in the order in which they are presented. */
  readonly tracks: readonly PresentedMedia[];
  /** The one that is played unless the viewer chooses another. */
  readonly preferred: PresentedMedia;
}

/** Tracks by the decoder that they need, in the order in which its first track is presented. */
export function groupsOf(tracks: readonly PresentedMedia[]): TrackGroup[] {
  const families = new Map<string, PresentedMedia[]>();
  for (const track of tracks) {
    const family = familyOf(track.attributes.codecs);
    families.set(family, [...(families.get(family) ?? []), track]);
  }
  return [...families].map(([family, members]) => ({
    family,
    tracks: members,
    preferred: members.find(({ isDefault }) => isDefault) ?? members[0]!,
  }));
}

/** The decoder that a track needs, such as `avc1`. Of `mp4a`, the object type tells AAC from MP3 and others. */
export function familyOf(codecs: string): string {
  const [type = '', object] = codecs.split('.');
  return type === 'mp4a' && object !== undefined ? `${type}.${object}` : type;
}

/** The codecs of some tracks, each once. */
export function codecsOf(tracks: readonly PresentedMedia[]): string[] {
  return [...new Set(tracks.map(({ attributes }) => attributes.codecs))];
}
