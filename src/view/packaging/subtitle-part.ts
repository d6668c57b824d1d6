import { type Reading, whenThere } from '../../media/io/reading.js';
import type { MediaPackager } from '../../media/packaging/media-package.js';
import { missing, type PartBody, type PartOptions, PLAYLIST, textBody } from './film-part.js';
import { subtitlePlaylist } from './hls/media-playlist.js';
import type { PresentedSet } from './packaged-sets.js';
import { targetDuration, timedTracks } from './presentation/durations.js';
import type { OpenMember } from './set/opened-set.js';
import type { SubtitleText } from './subtitles/cue.js';
import { filmText } from './subtitles/film-text.js';
import type { SideCars } from './subtitles/side-car.js';
import { type SubtitleWindow, webVtt } from './subtitles/webvtt.js';
import { trackNamed } from './tracks/film-tracks.js';
import { trackNameText } from './url/track-name.js';

const VTT = 'text/vtt; charset=utf-8';
const ALL: SubtitleWindow = { from: 0, to: Number.POSITIVE_INFINITY };

/**
 * A part of subtitles, which lie beside a film or in it.
 * @throws EdgeError (or rejects with one) `not_found`, and what reading throws
 */
export function* subtitlePart(
  open: OpenMember,
  { presentation, origin }: PresentedSet,
  { part, segmentation, addressing, query }: PartOptions,
  sideCars: SideCars,
  packager: MediaPackager,
): Reading<PartBody> {
  const text = presentation.texts.find(({ name }) => name === trackNameText(part.track));
  if (text === undefined) throw missing('track');
  if (part.kind === 'playlist') {
    const target = targetDuration(timedTracks(presentation));
    return textBody(subtitlePlaylist(text, { addressing, target, query }), PLAYLIST);
  }
  if (part.kind === 'subtitleSegment') {
    const { begins, timescale } = text;
    const count = begins.length - 1;
    if (part.number > count) throw missing('segment');
    const at = (row: number) => Math.round((begins[row]! * 1000) / timescale);
    const from = part.number === 1 ? ALL.from : at(part.number - 1);
    const window = { from, to: part.number === count ? ALL.to : at(part.number) };
    const cues = text.isWhole
      ? yield* sideCars.text(open.media, open.member.path, origin)
      : yield* cuesOf(open, { part, segmentation }, packager, window);
    return textBody(webVtt(cues, window, true), VTT);
  }
  if (!text.isWhole) throw missing('file');
  return textBody(webVtt(yield* sideCars.text(open.media, open.member.path, origin), ALL, false), VTT);
}

function* cuesOf(
  { media }: OpenMember,
  { part, segmentation }: Pick<PartOptions, 'part' | 'segmentation'>,
  packager: MediaPackager,
  window: SubtitleWindow,
): Reading<SubtitleText> {
  const pack = yield* whenThere(packager.package(media, segmentation));
  const track = trackNamed(pack, part.track);
  if (track === undefined) throw missing('track');
  return yield* filmText({ object: media, track }, packager, window);
}
