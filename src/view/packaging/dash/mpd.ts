import { DURATION_UNIT, durationsOf, targetDuration, timedTracks } from '../presentation/durations.js';
import { groupsOf } from '../presentation/groups.js';
import { noteLine } from '../presentation/note.js';
import type { Presentation, PresentedMedia } from '../presentation/presentation.js';
import { type AdaptationOptions, audioAdaptation, textAdaptation, videoAdaptation } from './adaptation-set.js';
import type { DashProfile } from './segments.js';
import { element } from './xml.js';

const PROFILES: Readonly<Record<DashProfile, string>> = {
  live: 'urn:mpeg:dash:profile:isoff-live:2011',
  'on-demand': 'urn:mpeg:dash:profile:isoff-on-demand:2011',
};

/** All that the standard has (section 8.2). */
const ANY_PROFILE = 'urn:mpeg:dash:profile:full:2011';

/**
 * The media presentation description (ISO/IEC 23009-1) of a film that is there as a whole.
 * @param query of children, with its `?`, or empty
 */
export function mpd(presentation: Presentation, profile: DashProfile, query: string): string {
  const { version, duration, videos, audios, texts, aligned, notes } = presentation;
  const options: AdaptationOptions = {
    version,
    query,
    profile,
    target: targetDuration(timedTracks(presentation)),
  };
  const longest = [...videos, ...audios].flatMap(track => [...durationsOf(track)]).reduce((a, b) => Math.max(a, b), 1);
  const adaptations = [
    ...videoSets(videos).map(set => videoAdaptation(set, { aligned }, options)),
    ...groupsOf(audios).flatMap(({ tracks, preferred }) =>
      tracks.map(track => audioAdaptation(track, track === preferred, options)),
    ),
    ...texts.map(text => textAdaptation(text, duration, options)),
  ];
  const root = {
    xmlns: 'urn:mpeg:dash:schema:mpd:2011',
    type: 'static',
    // Text in segments of its own is no part of the on-demand profile.
    profiles: profile === 'on-demand' && texts.some(({ isWhole }) => !isWhole) ? ANY_PROFILE : PROFILES[profile],
    mediaPresentationDuration: isoDuration(duration),
    maxSegmentDuration: profile === 'live' ? isoDuration(longest / DURATION_UNIT) : undefined,
    minBufferTime: isoDuration(longest / DURATION_UNIT),
  };
  const comments = notes.map(note => `<!-- ${noteLine(note)} -->\n`).join('');
  const period = element('Period', { id: '0', start: 'PT0S' }, adaptations);
  return `<?xml version="1.0" encoding="utf-8"?>\n${comments}${element('MPD', root, [period])}\n`;
}

/** Videos that players may change between: of one decoder and one range of light. */
function videoSets(videos: readonly PresentedMedia[]): PresentedMedia[][] {
  return groupsOf(videos).flatMap(({ tracks }) => {
    const ranges = new Set(tracks.map(({ attributes }) => attributes.videoRange));
    return [...ranges].map(range => tracks.filter(({ attributes }) => attributes.videoRange === range));
  });
}

/** Seconds as `xs:duration`, to the microsecond. */
function isoDuration(seconds: number): string {
  return `PT${Number(seconds.toFixed(6))}S`;
}
