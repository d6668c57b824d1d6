import { durationsOf, targetDuration } from '../presentation/durations.js';
import type { KeyFrameRow, PresentedMedia } from '../presentation/presentation.js';
import { partPath } from '../url/packaged-path.js';
import { parseTrackName } from '../url/track-name.js';
import { attributeTag, quoted } from './attribute-list.js';
import { extinf } from './extinf.js';
import { headLines, playlistText } from './head.js';
import { vodLines } from './media-playlist.js';

/** The playlist of a track's key frames (EXT-X-I-FRAMES-ONLY, RFC 8216 section 4.3.3.6). */
export function keyFramePlaylist(media: PresentedMedia, { begins }: KeyFrameRow, query: string): string {
  const track = parseTrackName(media.name)!;
  const times = { begins, timescale: media.timescale };
  const lines = [
    ...headLines(true),
    ...vodLines(targetDuration([times])),
    '#EXT-X-I-FRAMES-ONLY',
    attributeTag('EXT-X-MAP', [['URI', quoted(partPath({ kind: 'init', track }, media.name) + query)]]),
  ];
  durationsOf(times).forEach((duration, row) => {
    lines.push(extinf(duration), partPath({ kind: 'keyFrame', track, number: row + 1 }, media.name) + query);
  });
  return playlistText([...lines, '#EXT-X-ENDLIST']);
}
