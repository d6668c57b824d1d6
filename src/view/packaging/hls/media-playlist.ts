import { decodingTimes, durationsOf } from '../presentation/durations.js';
import type { PresentedMedia, PresentedText } from '../presentation/presentation.js';
import { partPath } from '../url/packaged-path.js';
import { parseTrackName } from '../url/track-name.js';
import { attributeTag, quoted } from './attribute-list.js';
import { extinf } from './extinf.js';
import { headLines, playlistText } from './head.js';
import { programDate } from './program-date.js';

/** How the segments of a playlist are asked for: each as a file, or as a range of the track's file. */
export type SegmentAddressing = 'segments' | 'byteranges';

/** What playlists of one film have in common. */
export interface PlaylistOptions {
  readonly addressing: SegmentAddressing;
  /** Seconds of EXT-X-TARGETDURATION. */
  readonly target: number;
  /** Whether it says when it begins. */
  readonly isDated: boolean;
  /** Query of children, with its `?`, or empty. */
  readonly query: string;
}

/** The media playlist of a video or sound track; its URIs count from the version's folder. */
export function mediaPlaylist(media: PresentedMedia, options: PlaylistOptions): string {
  const { addressing, target, isDated, query } = options;
  const track = parseTrackName(media.name)!;
  const lines = [...headLines(!media.openGops), ...vodLines(target)];
  const times = decodingTimes(media);
  const durations = durationsOf(times);
  const date = isDated ? [programDate(times.begins[0]!, times.timescale)] : [];
  if (addressing === 'segments') {
    const init = partPath({ kind: 'init', track }, media.name) + query;
    lines.push(attributeTag('EXT-X-MAP', [['URI', quoted(init)]]), ...date);
    durations.forEach((duration, row) => {
      lines.push(extinf(duration), partPath({ kind: 'segment', track, number: row + 1 }, media.name) + query);
    });
  } else {
    const { initSize, offsets } = media.layout;
    const uri = partPath({ kind: 'trackFile', track }, media.name) + query;
    lines.push(
      attributeTag('EXT-X-MAP', [
        ['URI', quoted(uri)],
        ['BYTERANGE', quoted(`${initSize}@0`)],
      ]),
      ...date,
    );
    durations.forEach((duration, row) => {
      const range = `${offsets[row + 1]! - offsets[row]!}@${offsets[row]}`;
      // Players take the range for that of the next line that is no tag.
      lines.push(extinf(duration), `#EXT-X-BYTERANGE:${range}`, uri);
    });
  }
  return playlistText([...lines, '#EXT-X-ENDLIST']);
}

/** The media playlist of subtitles. */
export function subtitlePlaylist(text: PresentedText, { target, isDated, query }: PlaylistOptions): string {
  const track = parseTrackName(text.name)!;
  const lines = [...headLines(false), ...vodLines(target)];
  if (isDated) lines.push(programDate(text.begins[0]!, text.timescale));
  durationsOf(text).forEach((duration, row) => {
    lines.push(extinf(duration), partPath({ kind: 'subtitleSegment', track, number: row + 1 }, text.name) + query);
  });
  return playlistText([...lines, '#EXT-X-ENDLIST']);
}

/** The lines of a playlist that has all of a film from the start. */
export function vodLines(target: number): string[] {
  return [`#EXT-X-TARGETDURATION:${target}`, '#EXT-X-MEDIA-SEQUENCE:0', '#EXT-X-PLAYLIST-TYPE:VOD'];
}
