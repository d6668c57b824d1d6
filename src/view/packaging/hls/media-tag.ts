import type { PresentedMedia, PresentedText } from '../presentation/presentation.js';
import { partPath } from '../url/packaged-path.js';
import { parseTrackName } from '../url/track-name.js';
import { attributeTag, quoted } from './attribute-list.js';

/** Where the playlists of a film are. */
export interface PlaylistPlace {
  /** The segment `V`. */
  readonly version: string;
  /** Query of children, with its `?`, or empty. */
  readonly query: string;
}

/** EXT-X-MEDIA of a sound track (RFC 8216 section 4.3.4.1). */
export function audioTag(media: PresentedMedia, group: string, isDefault: boolean, place: PlaylistPlace): string {
  const { channels, jointObjects } = media.attributes;
  return attributeTag('EXT-X-MEDIA', [
    ['TYPE', 'AUDIO'],
    ['GROUP-ID', quoted(group)],
    ['NAME', quoted(media.label)],
    ['LANGUAGE', languageOf(media.language)],
    ['DEFAULT', yesNo(isDefault)],
    ['AUTOSELECT', 'YES'],
    ['CHANNELS', channels && quoted(jointObjects ? `${jointObjects}/JOC` : String(channels))],
    ['URI', quoted(playlistUri(media.name, place))],
  ]);
}

/** EXT-X-MEDIA of subtitles. */
export function subtitleTag(text: PresentedText, group: string, isDefault: boolean, place: PlaylistPlace): string {
  return attributeTag('EXT-X-MEDIA', [
    ['TYPE', 'SUBTITLES'],
    ['GROUP-ID', quoted(group)],
    ['NAME', quoted(text.label)],
    ['LANGUAGE', languageOf(text.language)],
    ['DEFAULT', yesNo(isDefault)],
    ['AUTOSELECT', 'YES'],
    ['FORCED', yesNo(text.isForced)],
    ['URI', quoted(playlistUri(text.name, place))],
  ]);
}

/** The playlist of a track, from where the multivariant playlist is. */
export function playlistUri(name: string, { version, query }: PlaylistPlace): string {
  return `${version}/${partPath({ kind: 'playlist', track: parseTrackName(name)! }, name)}${query}`;
}

function languageOf(language: string): string | undefined {
  return language === 'und' ? undefined : quoted(language);
}

function yesNo(is: boolean): string {
  return is ? 'YES' : 'NO';
}
