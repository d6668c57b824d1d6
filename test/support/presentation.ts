import type {
  Presentation,
  PresentedMedia,
  PresentedText,
} from '../../src/view/packaging/presentation/presentation.js';

/** The segment `V` of invented presentations. */
export const VERSION = '0123456789abcdef';

const common = { language: 'und', isDefault: false };

/** Sums, beginning with 0. */
export function sums(values: readonly number[]): Float64Array {
  const column = new Float64Array(values.length + 1);
  for (const [i, value] of values.entries()) column[i + 1] = column[i]! + value;
  return column;
}

/** A track with segments of so many ticks of 1/1000 s and so many bytes. */
export function presentedMedia(
  name: string,
  ticks: readonly number[],
  bytes: readonly number[],
  fields: Partial<PresentedMedia> = {},
): PresentedMedia {
  const isVideo = /v\d+$/.test(name);
  const offsets = sums(bytes).map(offset => offset + 1000);
  return {
    ...common,
    name,
    label: name,
    kind: isVideo ? 'video' : 'audio',
    begins: sums(ticks),
    decodes: fields.begins ?? sums(ticks),
    timescale: 1000,
    sizes: Float64Array.from(bytes),
    attributes: isVideo
      ? { codecs: 'avc1.64001f', width: 1280, height: 720, frameRate: { num: 24000, den: 1001 }, videoRange: 'SDR' }
      : { codecs: 'mp4a.40.2', channels: 2, sampleRate: 48000 },
    layout: { initSize: 700, sidx: { offset: 700, length: 300 }, offsets },
    openGops: false,
    keyFrames: undefined,
    ...fields,
  };
}

/** Subtitles with segments of so many thousandths of a second. */
export function presentedText(
  name: string,
  ticks: readonly number[],
  fields: Partial<PresentedText> = {},
): PresentedText {
  return {
    ...common,
    name,
    label: name,
    kind: 'text',
    begins: sums(ticks),
    timescale: 1000,
    isForced: false,
    size: 1000,
    isWhole: true,
    ...fields,
  };
}

/** A presentation of these tracks. */
export function presentationOf(
  tracks: readonly (PresentedMedia | PresentedText)[],
  fields: Partial<Presentation> = {},
): Presentation {
  const media = (kind: 'video' | 'audio') => tracks.filter((track): track is PresentedMedia => track.kind === kind);
  return {
    version: VERSION,
    duration: tracks.reduce((max, { begins, timescale }) => Math.max(max, begins.at(-1)! / timescale), 0),
    videos: media('video'),
    audios: media('audio'),
    texts: tracks.filter((track): track is PresentedText => track.kind === 'text'),
    aligned: true,
    notes: [],
    ...fields,
  };
}
