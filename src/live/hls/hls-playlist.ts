import { attributeTag, quoted } from '../../view/packaging/hls/attribute-list.js';
import { playlistText } from '../../view/packaging/hls/head.js';
import { multivariantPlaylist } from '../../view/packaging/hls/multivariant-playlist.js';
import type { PresentedMedia } from '../../view/packaging/presentation/presentation.js';
import type { HlsListing, HlsStream } from './hls-stream.js';
import type { HlsSegment } from './hls-track.js';
import { FOLDER, fileUris, type HlsTrackName, siblingUri } from './hls-url.js';

/** EXT-X-SKIP came with 9 (RFC 8216bis section 8). */
const VERSION = 9;
/** Times of SERVER-CONTROL, in parts and in target durations (section 4.4.3.8). */
const [PART_HOLD_BACK, HOLD_BACK, SKIP_UNTIL] = [3, 3, 6];
/** Target durations from the end for which parts are listed (section 6.2.2). */
const PARTS_LISTED = 3;

/** What a request for a playlist asks of its text. */
export interface PlaylistWishes {
  /** Only what is new: EXT-X-SKIP stands for what is older than CAN-SKIP-UNTIL. */
  readonly skips: boolean;
  /** Query of children, with its `?`, or empty. */
  readonly query: string;
}

/** The media playlist of a track (RFC 8216bis section 4.4.3). */
export function livePlaylist(stream: HlsStream, track: HlsTrackName, { skips, query }: PlaylistWishes): string {
  const { listing } = stream;
  const { from, durations, target, partTarget, isEnded } = listing;
  const all = stream.segments(track);
  const listed = all.slice(from).filter(({ isComplete, parts }) => isComplete || parts.length > 0);
  // Where the track has nothing yet of what the other one has, too: its playlist must not go back afterwards.
  const first = all[from] ?? all.at(-1);
  const ages = agesOf(durations.slice(from, from + listed.length));
  const skipped = skips && !isEnded ? ages.filter(age => age > SKIP_UNTIL * target * 1000).length : 0;
  const lines = ['#EXTM3U', `#EXT-X-VERSION:${VERSION}`, `#EXT-X-TARGETDURATION:${target}`];
  if (listed.every(({ parts }) => parts[0]?.isIndependent !== false)) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  lines.push(
    attributeTag('EXT-X-SERVER-CONTROL', [
      ['CAN-BLOCK-RELOAD', 'YES'],
      ['CAN-SKIP-UNTIL', seconds(SKIP_UNTIL * target * 1000)],
      ['HOLD-BACK', seconds(HOLD_BACK * target * 1000)],
      ['PART-HOLD-BACK', seconds(PART_HOLD_BACK * partTarget)],
    ]),
    attributeTag('EXT-X-PART-INF', [['PART-TARGET', seconds(partTarget)]]),
    `#EXT-X-MEDIA-SEQUENCE:${first?.number ?? 0}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${first?.discontinuity ?? 0}`,
  );
  if (skipped > 0) lines.push(attributeTag('EXT-X-SKIP', [['SKIPPED-SEGMENTS', skipped]]));
  let discontinuity = skipped > 0 ? listed[skipped - 1]!.discontinuity : first?.discontinuity;
  let mapped: number | undefined;
  for (const [at, segment] of listed.entries()) {
    if (at < skipped) continue;
    if (segment.discontinuity !== discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    discontinuity = segment.discontinuity;
    if (mapped !== discontinuity && segment.parts.length > 0) {
      mapped = discontinuity;
      const init = fileUris.init(track, stream.firstInit + discontinuity);
      lines.push(attributeTag('EXT-X-MAP', [['URI', quoted(init + query)]]));
    }
    const hasParts = ages[at]! <= PARTS_LISTED * target * 1000;
    lines.push(...segmentLines(track, segment, durations[from + at]!, hasParts, query));
  }
  lines.push(...(isEnded ? ['#EXT-X-ENDLIST'] : endLines(stream, listing, track, query)));
  return playlistText(lines);
}

/** Milliseconds from the end of each segment to that of the last. */
function agesOf(durations: readonly number[]): number[] {
  const ages: number[] = [];
  let age = 0;
  for (let at = durations.length - 1; at >= 0; at--) {
    ages[at] = age;
    age += durations[at]!;
  }
  return ages;
}

function segmentLines(track: HlsTrackName, segment: HlsSegment, lasts: number, hasParts: boolean, query: string) {
  const { number, parts, isComplete, timestamp, arrivedAt, duration } = segment;
  const lines: string[] = [];
  const first = parts[0];
  // One moment of each segment is known, that of its first tag, which may be another track's.
  const date = new Date(Math.round(arrivedAt + (first === undefined ? 0 : first.start - timestamp)));
  lines.push(`#EXT-X-PROGRAM-DATE-TIME:${date.toISOString()}`);
  if (hasParts) {
    for (const { index, duration: length, isIndependent } of parts) {
      lines.push(
        attributeTag('EXT-X-PART', [
          ['DURATION', seconds(length)],
          ['URI', quoted(fileUris.part(track, number, index) + query)],
          ['INDEPENDENT', isIndependent ? 'YES' : undefined],
        ]),
      );
    }
  }
  if (!isComplete) return lines;
  if (first === undefined) lines.push('#EXT-X-GAP');
  lines.push(`#EXTINF:${seconds(first === undefined ? lasts : duration)},`, fileUris.segment(track, number) + query);
  return lines;
}

/** What comes next, and how far the other track is. */
function endLines(stream: HlsStream, { names }: HlsListing, track: HlsTrackName, query: string): string[] {
  const lines: string[] = [];
  const next = nextPart(stream.segments(track));
  if (next !== undefined) {
    const uri = fileUris.part(track, next.number, next.part) + query;
    lines.push(
      attributeTag('EXT-X-PRELOAD-HINT', [
        ['TYPE', 'PART'],
        ['URI', quoted(uri)],
      ]),
    );
  }
  for (const other of names) {
    if (other === track) continue;
    const last = lastPart(stream.segments(other));
    lines.push(
      attributeTag('EXT-X-RENDITION-REPORT', [
        ['URI', quoted(siblingUri(other) + query)],
        ['LAST-MSN', last?.number],
        ['LAST-PART', last?.part],
      ]),
    );
  }
  return lines;
}

/** A place in a playlist. */
interface PartPlace {
  readonly number: number;
  readonly part: number;
}

/** The part that comes next; undefined when none is known to come. */
function nextPart(segments: readonly HlsSegment[]): PartPlace | undefined {
  const open = segments.find(({ isComplete }) => !isComplete);
  return open && { number: open.number, part: open.parts.length };
}

/** The newest part; undefined when there is none. */
export function lastPart(segments: readonly HlsSegment[]): PartPlace | undefined {
  for (let at = segments.length - 1; at >= 0; at--) {
    const { number, parts } = segments[at]!;
    if (parts.length > 0) return { number, part: parts.length - 1 };
  }
  return undefined;
}

/** Milliseconds as seconds. */
function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}

const LABELS: Readonly<Record<HlsTrackName, string>> = { v1: 'Video', a1: 'Sound' };
/** Bytes that boxes take of a part, and of each frame in it. */
const [PART_HEAD, FRAME_HEAD] = [108, 16];

/** The multivariant playlist, with rates as they have been in what it lists. */
export function liveMultivariant(stream: HlsStream, query: string): string {
  const { listing } = stream;
  const media = listing.names.map(name => presented(stream, name, listing));
  return multivariantPlaylist(
    {
      version: FOLDER,
      duration: 0,
      videos: media.filter(({ kind }) => kind === 'video'),
      audios: media.filter(({ kind }) => kind === 'audio'),
      texts: [],
      aligned: true,
      notes: [],
    },
    query,
  );
}

function presented(stream: HlsStream, name: HlsTrackName, { run, from }: HlsListing): PresentedMedia {
  const codec = stream.codecsOf(run)!.tracks!.get(name)!;
  const segments = stream
    .segments(name)
    .slice(from)
    .filter(({ discontinuity, parts }) => discontinuity === run && parts.length > 0);
  const begins = new Float64Array(segments.length + 1);
  const sizes = new Float64Array(segments.length);
  let frames = 0;
  for (const [at, { duration, parts }] of segments.entries()) {
    begins[at + 1] = begins[at]! + duration;
    for (const part of parts) {
      frames += part.frames;
      sizes[at]! += part.bytes + PART_HEAD + part.frames * FRAME_HEAD;
    }
  }
  return {
    ...{ name, label: LABELS[name], language: 'und', isDefault: true, begins, decodes: begins, sizes },
    timescale: 1000,
    kind: name === 'v1' ? 'video' : 'audio',
    attributes: codec.attributes(frames, begins[segments.length]!),
    layout: { initSize: 0, sidx: { offset: 0, length: 0 }, offsets: new Float64Array(1) },
    openGops: segments.some(({ parts }) => !parts[0]!.isIndependent),
    keyFrames: undefined,
  };
}
