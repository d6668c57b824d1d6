import { targetDuration } from '../presentation/durations.js';
import { codecsOf, type TrackGroup } from '../presentation/groups.js';
import type { PresentedMedia } from '../presentation/presentation.js';
import { type Rates, ratesOf } from '../presentation/rates.js';
import { partPath } from '../url/packaged-path.js';
import { parseTrackName } from '../url/track-name.js';
import { type AttributeValue, attributeTag, quoted } from './attribute-list.js';
import { type PlaylistPlace, playlistUri } from './media-tag.js';

/** What a variant is made of, beside its own track. */
export interface VariantGroups {
  /** Sound that it is played with; undefined when there is none, or the variant is the sound. */
  readonly audio: TrackGroup | undefined;
  /** GROUP-ID of its subtitles. */
  readonly subtitles: string | undefined;
}

/** EXT-X-STREAM-INF and the URI of a variant (RFC 8216 section 4.3.4.2). */
export function streamInf(
  media: PresentedMedia,
  { audio, subtitles }: VariantGroups,
  target: number,
  place: PlaylistPlace,
): string[] {
  const tracks = [media, ...(audio?.tracks ?? [])];
  const own = ratesIn(media, target);
  const sounds = (audio?.tracks ?? []).map(track => ratesIn(track, target));
  const most = (rate: keyof Rates) => {
    const loudest = sounds.reduce((max, rates) => Math.max(max, rates[rate]), 0);
    return Math.max(1, media.kind === 'video' ? own[rate] + loudest : Math.max(own[rate], loudest));
  };
  return [
    attributeTag('EXT-X-STREAM-INF', [
      ['BANDWIDTH', most('peak')],
      ['AVERAGE-BANDWIDTH', most('average')],
      ['CODECS', quoted(codecsOf(tracks).join(','))],
      ...pictureAttributes(media),
      ['AUDIO', audio && quoted(audio.family)],
      ['SUBTITLES', subtitles && quoted(subtitles)],
      ['CLOSED-CAPTIONS', media.kind === 'video' ? 'NONE' : undefined],
    ]),
    playlistUri(media.name, place),
  ];
}

/** EXT-X-I-FRAME-STREAM-INF (RFC 8216 section 4.3.4.3); undefined when the track has no key frames to choose. */
export function keyFrameStreamInf(media: PresentedMedia, { version, query }: PlaylistPlace): string | undefined {
  const { keyFrames, timescale, name } = media;
  if (keyFrames === undefined) return undefined;
  const target = targetDuration([{ begins: keyFrames.begins, timescale }]);
  const { peak, average } = ratesOf(keyFrames.begins, keyFrames.sizes, timescale, target);
  const path = partPath({ kind: 'keyFramePlaylist', track: parseTrackName(name)! }, name);
  return attributeTag('EXT-X-I-FRAME-STREAM-INF', [
    ['BANDWIDTH', Math.max(1, peak)],
    ['AVERAGE-BANDWIDTH', Math.max(1, average)],
    ['CODECS', quoted(media.attributes.codecs)],
    ...pictureAttributes(media).filter(([attribute]) => attribute !== 'FRAME-RATE'),
    ['URI', quoted(`${version}/${path}${query}`)],
  ]);
}

/** Rates of a track by the target duration of the film, over the durations that its playlist tells. */
function ratesIn({ decodes, sizes, timescale }: PresentedMedia, target: number): Rates {
  return ratesOf(decodes, sizes, timescale, target);
}

function pictureAttributes({ kind, attributes }: PresentedMedia): [name: string, value: AttributeValue][] {
  if (kind !== 'video') return [];
  const { width, height, frameRate, videoRange = 'SDR', supplementalCodecs } = attributes;
  return [
    ['SUPPLEMENTAL-CODECS', supplementalCodecs && quoted(supplementalCodecs)],
    ['RESOLUTION', width && height ? `${Math.round(width)}x${Math.round(height)}` : undefined],
    ['FRAME-RATE', frameRate && (frameRate.num / frameRate.den).toFixed(3)],
    ['VIDEO-RANGE', videoRange],
  ];
}
