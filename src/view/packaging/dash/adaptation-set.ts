import type { PresentedMedia, PresentedText } from '../presentation/presentation.js';
import { ratesOf } from '../presentation/rates.js';
import { partPath } from '../url/packaged-path.js';
import { parseTrackName } from '../url/track-name.js';
import { type DashProfile, type MpdPlace, segmentElements, segmentTemplate } from './segments.js';
import { element, type XmlAttributes, xmlText } from './xml.js';

/** Cues of WebVTT, as RFC 6381 calls them. */
const CUES = 'wvtt';
const ROLE = 'urn:mpeg:dash:role:2011';
const CHANNELS = 'urn:mpeg:dash:23003:3:audio_channel_configuration:2011';
const CICP = 'urn:mpeg:mpegB:cicp:';
/** ColourPrimaries and MatrixCoefficients of BT.2020, TransferCharacteristics of PQ and HLG (ISO/IEC 23091-2). */
const BT2020 = 9;
const TRANSFER = { PQ: 16, HLG: 18 } as const;

/** What all AdaptationSets of a film need. */
export interface AdaptationOptions extends MpdPlace {
  readonly profile: DashProfile;
  /** Seconds over which rates are found. */
  readonly target: number;
}

/** Whether players may change from one of these to another at any segment, and how each begins. */
interface Switching {
  readonly aligned: boolean;
  readonly isDefault: boolean;
}

/*
 * The order of elements is that of the schema (ISO/IEC 23009-1 Annex B): labels and descriptors of media before roles.
 */

/** An AdaptationSet of videos that one decoder plays. */
export function videoAdaptation(
  videos: readonly PresentedMedia[],
  { aligned }: Pick<Switching, 'aligned'>,
  options: AdaptationOptions,
): string {
  const transfer = TRANSFER[videos[0]!.attributes.videoRange as keyof typeof TRANSFER];
  const colours =
    transfer === undefined
      ? []
      : [
          descriptor('EssentialProperty', `${CICP}ColourPrimaries`, BT2020),
          descriptor('EssentialProperty', `${CICP}MatrixCoefficients`, BT2020),
          descriptor('EssentialProperty', `${CICP}TransferCharacteristics`, transfer),
        ];
  const attributes = { contentType: 'video', mimeType: 'video/mp4', ...switching(videos, aligned, options.profile) };
  return element('AdaptationSet', attributes, [
    ...colours,
    ...videos.map(video => mediaRepresentation(video, pictureAttributes(video), [], options)),
  ]);
}

/** The AdaptationSet of a sound track. */
export function audioAdaptation(audio: PresentedMedia, isMain: boolean, options: AdaptationOptions): string {
  const { channels, sampleRate } = audio.attributes;
  const attributes = {
    contentType: 'audio',
    mimeType: 'audio/mp4',
    lang: audio.language,
    ...switching([audio], true, options.profile),
  };
  const layout = channels === undefined ? [] : [descriptor('AudioChannelConfiguration', CHANNELS, channels)];
  return element('AdaptationSet', attributes, [
    element('Label', {}, xmlText(audio.label)),
    descriptor('Role', ROLE, isMain ? 'main' : 'alternate'),
    mediaRepresentation(audio, { audioSamplingRate: sampleRate }, layout, options),
  ]);
}

/** The AdaptationSet of subtitles: one file, or segments of cues in MP4 (ISO/IEC 14496-30). */
export function textAdaptation(text: PresentedText, duration: number, place: MpdPlace): string {
  const { name, label, language: lang, isForced, isWhole, size } = text;
  const { version, query } = place;
  const path = partPath({ kind: 'subtitleFile', track: parseTrackName(name)! }, name);
  const bandwidth = Math.max(1, Math.ceil((8 * size) / Math.max(1, duration)));
  const own = isWhole
    ? { mimeType: 'text/vtt' }
    : { mimeType: 'application/mp4', codecs: CUES, segmentAlignment: 'true', startWithSAP: 1 };
  return element('AdaptationSet', { contentType: 'text', ...own, lang }, [
    element('Label', {}, xmlText(label)),
    descriptor('Role', ROLE, isForced ? 'forced-subtitle' : 'subtitle'),
    element('Representation', { id: name, bandwidth }, [
      isWhole ? element('BaseURL', {}, xmlText(`${version}/${path}${query}`)) : segmentTemplate(text, place),
    ]),
  ]);
}

function mediaRepresentation(
  media: PresentedMedia,
  attributes: XmlAttributes,
  before: readonly string[],
  { profile, target, ...place }: AdaptationOptions,
): string {
  const { begins, sizes, timescale } = media;
  const bandwidth = Math.max(1, ratesOf(begins, sizes, timescale, target).peak);
  return element('Representation', { id: media.name, bandwidth, codecs: media.attributes.codecs, ...attributes }, [
    ...before,
    ...segmentElements(media, profile, place),
  ]);
}

function pictureAttributes({ attributes: { width, height, frameRate } }: PresentedMedia): XmlAttributes {
  return {
    width: width && Math.round(width),
    height: height && Math.round(height),
    frameRate: frameRate && (frameRate.den === 1 ? frameRate.num : `${frameRate.num}/${frameRate.den}`),
  };
}

/** Segments begin with a key frame; where frames that are shown before it come with it, that is a SAP of type 3. */
function switching(tracks: readonly PresentedMedia[], aligned: boolean, profile: DashProfile): XmlAttributes {
  const startWithSAP = tracks.some(({ openGops }) => openGops) ? 3 : 1;
  if (profile === 'live') return { segmentAlignment: String(aligned), startWithSAP };
  return { subsegmentAlignment: String(aligned), subsegmentStartsWithSAP: startWithSAP };
}

function descriptor(name: string, schemeIdUri: string, value: string | number): string {
  return element(name, { schemeIdUri, value });
}
