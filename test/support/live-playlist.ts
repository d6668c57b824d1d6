import assert from 'node:assert/strict';

/** A part as a playlist lists it. */
export interface ListedPart {
  readonly uri: string;
  /** Milliseconds. */
  readonly duration: number;
  readonly isIndependent: boolean;
}

/** A segment as a playlist lists it. */
export interface ListedSegment {
  readonly number: number;
  readonly discontinuity: number;
  readonly init: string | undefined;
  readonly date: string | undefined;
  readonly parts: readonly ListedPart[];
  /** It has a URI: no further part comes. */
  readonly isComplete: boolean;
  readonly isGap: boolean;
  readonly uri: string;
  /** Milliseconds; of its parts while it is not complete. */
  readonly duration: number;
}

/** A live media playlist. */
export interface ReadPlaylist {
  /** EXT-X-MEDIA-SEQUENCE, EXT-X-DISCONTINUITY-SEQUENCE. */
  readonly sequence: number;
  readonly discontinuity: number;
  /** Seconds of EXT-X-TARGETDURATION; milliseconds of PART-TARGET and CAN-SKIP-UNTIL. */
  readonly target: number;
  readonly partTarget: number;
  readonly canSkipUntil: number;
  /** SKIPPED-SEGMENTS. */
  readonly skipped: number;
  /** Those that are not skipped; discontinuities of a delta count from the last one that is. */
  readonly segments: readonly ListedSegment[];
  /** Place of EXT-X-PRELOAD-HINT. */
  readonly hint: string | undefined;
  readonly isEnded: boolean;
}

const ms = (seconds: string | undefined) => Math.round(Number(seconds) * 1000);

/** Reads a media playlist line by line (RFC 8216bis section 4.4), as a player does; shares no code with src/. */
export function readPlaylist(text: string): ReadPlaylist {
  const lines = text.split('\n');
  assert.equal(lines.shift(), '#EXTM3U');
  assert.equal(lines.pop(), '');
  const value = (pattern: RegExp) => pattern.exec(text)?.[1];
  const sequence = Number(value(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m));
  const discontinuity = Number(value(/^#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)$/m));
  const skipped = Number(value(/^#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)$/m) ?? 0);
  const segments: ListedSegment[] = [];
  let number = sequence + skipped;
  let run = discontinuity;
  let init: string | undefined;
  let next = { date: undefined as string | undefined, parts: [] as ListedPart[], isGap: false, duration: 0 };
  const finish = (isComplete: boolean, uri: string) => {
    const duration = isComplete ? next.duration : next.parts.reduce((sum, part) => sum + part.duration, 0);
    segments.push({ ...next, number, discontinuity: run, init, isComplete, uri, duration });
    next = { date: undefined, parts: [], isGap: false, duration: 0 };
    number++;
  };
  for (const line of lines) {
    const [, tag = '', rest = ''] = /^#(EXT[A-Z-]+):?(.*)$/.exec(line) ?? [];
    const attribute = (name: string) => new RegExp(`(?:^|,)${name}="?([^",]*)`).exec(rest)?.[1];
    if (tag === 'EXT-X-DISCONTINUITY') run++;
    else if (tag === 'EXT-X-MAP') init = attribute('URI');
    else if (tag === 'EXT-X-PROGRAM-DATE-TIME') next.date = rest;
    else if (tag === 'EXT-X-GAP') next.isGap = true;
    else if (tag === 'EXTINF') next.duration = ms(rest.split(',')[0]);
    else if (tag === 'EXT-X-PART') {
      const isIndependent = attribute('INDEPENDENT') === 'YES';
      next.parts.push({ uri: attribute('URI')!, duration: ms(attribute('DURATION')), isIndependent });
    } else if (tag === '') finish(true, line);
  }
  if (next.parts.length > 0) finish(false, '');
  return {
    ...{ sequence, discontinuity, skipped, segments },
    target: Number(value(/^#EXT-X-TARGETDURATION:(\d+)$/m)),
    partTarget: ms(value(/PART-TARGET=([\d.]+)/)),
    canSkipUntil: ms(value(/CAN-SKIP-UNTIL=([\d.]+)/)),
    hint: value(/^#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/m),
    isEnded: lines.at(-1) === '#EXT-X-ENDLIST',
  };
}

/** What a player has that knows `before` and gets a delta (section 6.3.7): what is skipped is what it had. */
export function applyDelta(before: ReadPlaylist | undefined, delta: ReadPlaylist): ReadPlaylist {
  const { sequence, skipped, segments, discontinuity } = delta;
  const old = (before?.segments ?? []).filter(({ number }) => number >= sequence && number < sequence + skipped);
  assert.equal(old.length, skipped, 'all that is skipped is known');
  const added = (old.at(-1)?.discontinuity ?? discontinuity) - discontinuity;
  return {
    ...delta,
    skipped: 0,
    segments: [...old, ...segments.map(each => ({ ...each, discontinuity: each.discontinuity + added }))],
  };
}
