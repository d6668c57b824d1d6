import { type Reading, whenThere } from '../../media/io/reading.js';
import { type CueTrack, cueInit, cueSegment, type TimedCue } from '../../media/packaging/cue-segment.js';
import type { MediaPackager } from '../../media/packaging/media-package.js';
import { literal } from '../../virtual-file/span.js';
import { missing, type PartBody, type PartOptions, PLAYLIST, textBody } from './film-part.js';
import { subtitlePlaylist } from './hls/media-playlist.js';
import type { PresentedSet } from './packaged-sets.js';
import { targetDuration, timedTracks } from './presentation/durations.js';
import type { PresentedText } from './presentation/presentation.js';
import type { OpenMember } from './set/opened-set.js';
import type { SubtitleText } from './subtitles/cue.js';
import { filmText } from './subtitles/film-text.js';
import type { SideCars } from './subtitles/side-car.js';
import { type SubtitleWindow, webVtt } from './subtitles/webvtt.js';
import { trackNamed } from './tracks/film-tracks.js';
import { trackNameText } from './url/track-name.js';

const VTT = 'text/vtt; charset=utf-8';
const ALL: SubtitleWindow = { from: 0, to: Number.POSITIVE_INFINITY };
const NONE: SubtitleWindow = { from: 0, to: 0 };

/**
 * A part of subtitles, which lie beside a film or in it.
 * @throws EdgeError (or rejects with one) `not_found`, and what reading throws
 */
export function* subtitlePart(
  open: OpenMember,
  { presentation, isDated, origin }: PresentedSet,
  { part, segmentation, addressing, query }: PartOptions,
  sideCars: SideCars,
  packager: MediaPackager,
): Reading<PartBody> {
  const text = presentation.texts.find(({ name }) => name === trackNameText(part.track));
  if (text === undefined) throw missing('track');
  if (part.kind === 'playlist') {
    const target = targetDuration(timedTracks(presentation));
    return textBody(subtitlePlaylist(text, { addressing, target, isDated, query }), PLAYLIST);
  }
  const sideCar = text.isWhole ? yield* sideCars.text(open.media, open.member.path, origin) : undefined;
  const cues = function* (window: SubtitleWindow): Reading<SubtitleText> {
    return sideCar ?? (yield* cuesOf(open, { part, segmentation }, packager, window));
  };
  if (part.kind === 'init') return mediaBody(cueInit(cueTrackOf(text, yield* cues(NONE))));
  if (part.kind === 'subtitleSegment' || part.kind === 'segment') {
    const { begins, timescale } = text;
    const count = begins.length - 1;
    const row = part.number - 1;
    if (row >= count) throw missing('segment');
    const at = (tick: number) => Math.round((tick * 1000) / timescale);
    if (part.kind === 'segment') {
      const [from, to] = [begins[row]!, begins[row + 1]!];
      const found = yield* cues({ from: at(from), to: at(to) });
      return mediaBody(cueSegment(part.number, timedCues(found, timescale), from, to));
    }
    const from = row === 0 ? ALL.from : at(begins[row]!);
    const window = { from, to: row + 1 === count ? ALL.to : at(begins[row + 1]!) };
    return textBody(webVtt(yield* cues(window), window, true), VTT);
  }
  if (sideCar === undefined) throw missing('file');
  return textBody(webVtt(sideCar, ALL, false), VTT);
}

function mediaBody(bytes: Uint8Array): PartBody {
  return { spans: [literal(bytes)], contentType: 'application/mp4' };
}

function cueTrackOf({ timescale, language, label, begins }: PresentedText, { blocks }: SubtitleText): CueTrack {
  const head = ['WEBVTT', ...blocks].join('\n\n');
  return { timescale, language, name: label, end: begins.at(-1)!, head };
}

/** Cues on the clock of a track; those that last no tick are left out. */
function timedCues({ cues }: SubtitleText, timescale: number): TimedCue[] {
  const ticks = (milliseconds: number) => Math.round((milliseconds * timescale) / 1000);
  return cues
    .map(({ id, start, end, settings, text }) => ({
      ...{ source: numberOf(id), id, start: ticks(start), end: ticks(end), settings, text },
    }))
    .filter(({ start, end }) => end > start);
}

/** A number that ids of a track hardly have in common. */
function numberOf(id: string): number {
  let number = 0;
  for (let i = 0; i < id.length; i++) number = (Math.imul(number, 31) + id.charCodeAt(i)) >>> 0;
  return number;
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
