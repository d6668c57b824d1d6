import { targetDuration, timedTracks } from '../presentation/durations.js';
import { groupsOf, type TrackGroup } from '../presentation/groups.js';
import type { Presentation, PresentedMedia } from '../presentation/presentation.js';
import { headLines, playlistText } from './head.js';
import { audioTag, subtitleTag } from './media-tag.js';
import { keyFrameStreamInf, streamInf } from './stream-inf.js';

const SUBTITLES = 'subtitles';

/**
 * The multivariant playlist (RFC 8216 section 4.3.4): each video with each group of sound, or sound alone.
 * @param query of children, with its `?`, or empty
 */
export function multivariantPlaylist(presentation: Presentation, query: string): string {
  const { version, videos, audios, texts, notes } = presentation;
  const place = { version, query };
  const target = targetDuration(timedTracks(presentation));
  const lines = headLines(![...videos, ...audios].some(({ openGops }) => openGops), notes);
  const groups = groupsOf(audios);
  const subtitles = texts.length > 0 ? SUBTITLES : undefined;
  const variants = videos.length > 0 ? videoVariants(videos, groups) : groups.map(soundVariant);
  for (const { family, tracks, preferred } of new Set(variants.flatMap(({ audio }) => audio ?? []))) {
    for (const track of tracks) lines.push(audioTag(track, family, track === preferred, place));
  }
  const preferred = texts.find(({ isDefault }) => isDefault);
  for (const text of texts) lines.push(subtitleTag(text, SUBTITLES, text === preferred, place));
  for (const { media, audio } of variants) lines.push(...streamInf(media, { audio, subtitles }, target, place));
  lines.push(...videos.flatMap(video => keyFrameStreamInf(video, place) ?? []));
  return playlistText(lines);
}

interface Variant {
  readonly media: PresentedMedia;
  readonly audio: TrackGroup | undefined;
}

function videoVariants(videos: readonly PresentedMedia[], groups: readonly TrackGroup[]): Variant[] {
  if (groups.length === 0) return videos.map(media => ({ media, audio: undefined }));
  return groups.flatMap(audio => videos.map(media => ({ media, audio })));
}

/** Sound without pictures: a track on its own is not named twice, several are a group. */
function soundVariant(group: TrackGroup): Variant {
  return { media: group.preferred, audio: group.tracks.length > 1 ? group : undefined };
}
