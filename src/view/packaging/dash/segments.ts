import type { PresentedMedia } from '../presentation/presentation.js';
import { partPath } from '../url/packaged-path.js';
import { parseTrackName } from '../url/track-name.js';
import { segmentTimeline } from './segment-timeline.js';
import { element, xmlText } from './xml.js';

/** How players find segments: by a template of URLs, or by the index of the track's file. */
export type DashProfile = 'live' | 'on-demand';

/** Where the parts of a film are. */
export interface MpdPlace {
  /** The segment `V`. */
  readonly version: string;
  /** Query of children, with its `?`, or empty. */
  readonly query: string;
}

/** The elements of a Representation that say where its segments are (ISO/IEC 23009-1 section 5.3.9). */
export function segmentElements(media: PresentedMedia, profile: DashProfile, { version, query }: MpdPlace): string[] {
  const track = parseTrackName(media.name)!;
  if (profile === 'on-demand') {
    const { initSize, sidx } = media.layout;
    return [
      element('BaseURL', {}, xmlText(`${version}/${partPath({ kind: 'trackFile', track }, media.name)}${query}`)),
      element('SegmentBase', { indexRange: byteRange(sidx.offset, sidx.length), timescale: media.timescale }, [
        element('Initialization', { range: byteRange(0, initSize) }),
      ]),
    ];
  }
  return [segmentTemplate(media, { version, query })];
}

/** Segments by a template of their URLs, and when they begin. */
export function segmentTemplate(
  { name, begins, timescale }: Pick<PresentedMedia, 'name' | 'begins' | 'timescale'>,
  { version, query }: MpdPlace,
): string {
  const template = {
    timescale,
    startNumber: 1,
    initialization: `${version}/${name}/init.mp4${templateText(query)}`,
    media: `${version}/${name}/$Number$.m4s${templateText(query)}`,
  };
  return element('SegmentTemplate', template, [segmentTimeline({ begins })]);
}

/** Text within a template, in which `$` begins an identifier. */
function templateText(text: string): string {
  return text.replaceAll('$', '$$$$');
}

function byteRange(offset: number, length: number): string {
  return `${offset}-${offset + length - 1}`;
}
