import { EdgeError } from '../../base/errors.js';
import { frameDataOf } from '../../media/flv/frame-data.js';
import { TAG_HEADER, TAG_TRAILER } from '../../media/flv/tag.js';
import { RingReader } from '../ring/ring-reader.js';
import type { StreamPlace } from '../ring/stream-place.js';
import { type HlsCodecs, hlsCodecs, TRACK_TYPES } from './hls-codecs.js';
import { type HlsSegment, HlsTrack } from './hls-track.js';
import type { HlsTrackName } from './hls-url.js';

/** How streams are cut; times in milliseconds. */
export interface HlsLimits {
  /** Of parts, as nearly as frames allow. */
  readonly part: number;
  /** Least of segments. */
  readonly segment: number;
  /** How far back playlists go. */
  readonly window: number;
}

/** What of a stream is in its playlists now. */
export interface HlsListing {
  /** Number of the newest run of segments without a discontinuity that has a part. */
  readonly run: number;
  /** Tracks that its codecs have, video first. */
  readonly names: readonly HlsTrackName[];
  /** Where in the tracks' segments the playlists begin. */
  readonly from: number;
  /** Milliseconds that each segment lasts in the track that has most of it; as many as the tracks have segments. */
  readonly durations: readonly number[];
  /** Seconds of EXT-X-TARGETDURATION. */
  readonly target: number;
  /** Milliseconds of PART-TARGET. */
  readonly partTarget: number;
  readonly isEnded: boolean;
}

/** Milliseconds to which the duration of the longest part is rounded up, so that it hardly ever changes. */
const PART_STEP = 10;
/** Segments that are listed at least when there are so many, however little the ring holds. */
const LISTED_MIN = 4;
const TRACK_NAMES = ['v1', 'a1'] as const;

const hasParts = ({ parts }: HlsSegment) => parts.length > 0;

interface KnownCodecs {
  codecs: HlsCodecs;
  /** They were looked at again with a frame of each track that has none. */
  readonly seen: Set<number>;
}

/**
 * A live stream as HLS: which frames are which parts of which segments. It is a function of what lies in the ring, so
 * that all processes say the same, and is brought up to date when somebody asks.
 */
export class HlsStream {
  readonly name: string;
  readonly id: number;
  readonly ring: RingReader;
  readonly limits: HlsLimits;
  #tracks: Readonly<Record<HlsTrackName, HlsTrack>>;
  readonly #codecs = new Map<number, KnownCodecs>();
  /** Tags up to here have been looked at. */
  #scanned = 0;
  /** Number of the segment at hand; -1 before the first one that is whole. */
  #segment = -1;
  /** That of the oldest tag, whose segment may not be whole. */
  #partial = -1;
  #isEnded = false;
  #listing: HlsListing | undefined;
  /** When the stream ended for this process, in milliseconds of the monotonic clock. */
  endedAt: number | undefined;

  /** @throws EdgeError `bad_config` when there is no ring in the file */
  constructor({ name, id, file }: StreamPlace, limits: HlsLimits) {
    this.name = name;
    this.id = id;
    this.limits = limits;
    this.ring = new RingReader(file);
    this.#tracks = this.#newTracks();
  }

  close(): void {
    this.ring.close();
  }

  /** Nothing more comes. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Segments of a track that are whole in the ring, oldest first; all tracks have the same numbers. */
  segments(track: HlsTrackName): readonly HlsSegment[] {
    return this.#tracks[track].segments;
  }

  /** Segment of a number; undefined when the ring has none. */
  segment(track: HlsTrackName, number: number): HlsSegment | undefined {
    const segments = this.segments(track);
    return segments[number - (segments[0]?.number ?? 0)];
  }

  /** What is added to a discontinuity's number in URLs: that of another ring of the same name is another file. */
  get firstInit(): number {
    return Math.floor(this.ring.createdAt / 1000);
  }

  /** Codecs of a run of segments; undefined when it is not known here. */
  codecsOf(discontinuity: number): HlsCodecs | undefined {
    return this.#codecs.get(discontinuity)?.codecs;
  }

  /**
   * Takes what has come since it was last called.
   * @throws EdgeError `internal` when the ring makes no sense
   */
  catchUp(): void {
    const { ring } = this;
    const before = this.#scanned;
    this.#refresh();
    for (;;) {
      this.#scan();
      if (this.#isPublished || this.#isEnded) break;
      // The state was read before the head: only when neither has moved, nothing else came before the state.
      const { head } = ring;
      this.#refresh();
      if (this.#isPublished || ring.head !== head) continue;
      for (const name of TRACK_NAMES) this.#tracks[name].finish();
      this.#isEnded = ring.state === 'ended';
      this.#listing = undefined;
      break;
    }
    if (this.#scanned !== before) this.#listing = undefined;
    const oldest = this.segments('v1')[0];
    if (oldest !== undefined && ring.tail > 0 && oldest.sequence <= ring.tail) this.#trim();
  }

  get #isPublished(): boolean {
    return this.ring.state === 'publishing';
  }

  /**
   * What playlists list.
   * @throws EdgeError `unplayable` when HLS can't have the stream's codecs
   */
  get listing(): HlsListing {
    this.#listing ??= this.#list();
    return this.#listing;
  }

  #refresh(): void {
    if (!this.ring.refresh())
      throw new EdgeError('internal', `the ring of the live stream ${this.name} makes no sense`);
  }

  #newTracks() {
    return { v1: new HlsTrack(this.limits.part), a1: new HlsTrack(this.limits.part) };
  }

  /** Begins anew at the oldest tag: what lies before it was overrun. */
  #reset(): void {
    this.#tracks = this.#newTracks();
    this.#scanned = this.ring.tail;
    this.#segment = -1;
    this.#partial = -1;
  }

  #scan(): void {
    const { ring } = this;
    if (this.#scanned < ring.tail) this.#reset();
    while (this.#scanned < ring.head) {
      if (!this.#take(this.#scanned)) {
        // The writer has come around meanwhile.
        this.#refresh();
        if (this.#scanned >= ring.tail) throw new EdgeError('internal', `the ring of ${this.name} lacks a tag`);
        this.#reset();
        continue;
      }
      this.#scanned++;
    }
  }

  /** Looks at a tag; false when it is gone. */
  #take(sequence: number): boolean {
    const { ring } = this;
    if (!ring.look(sequence)) return false;
    const { type, isHeader, timestamp, discontinuity } = ring;
    const number = this.#numberOf(ring.segmentNumber);
    const start = { number, discontinuity, sequence, timestamp, arrivedAt: ring.arrivedAt };
    const { tag, tagVersion } = ring;
    const data = tag.subarray(TAG_HEADER, tag.length - TAG_TRAILER);
    const isFrame = !isHeader && (type === TRACK_TYPES.v1 || type === TRACK_TYPES.a1);
    const frame = isFrame ? frameDataOf(type, data) : undefined;
    // The first segment is whole only if its beginning was seen.
    if (this.#segment < 0 && sequence > 0 && this.#partial < 0) this.#partial = number;
    const begins = number !== this.#segment && number !== this.#partial;
    if (begins || isFrame) this.#describe(discontinuity, tagVersion, isFrame && !frame ? { type, data } : undefined);
    if (!ring.holds(sequence)) return false;
    if (begins) {
      this.#segment = number;
      for (const name of TRACK_NAMES) this.#tracks[name].begin(start);
    }
    if (frame === undefined || this.#segment < 0) return true;
    const track = type === TRACK_TYPES.v1 ? 'v1' : 'a1';
    this.#tracks[track].add({ sequence, timestamp, bytes: frame.to - frame.from, isKey: frame.isKey });
    return true;
  }

  /** The ring has the low 32 bits of a number that began with the stream's first second. */
  #numberOf(low: number): number {
    const first = Math.floor(this.ring.createdAt / this.ring.segment);
    return first + ((low - first) >>> 0);
  }

  /** Reads the headers of a run of segments, once; and again with a tag that tells why there are none. */
  #describe(discontinuity: number, version: number, told: { type: number; data: Uint8Array } | undefined): void {
    const known = this.#codecs.get(discontinuity);
    const isTold = told !== undefined && known?.codecs.refusal !== undefined && !known.seen.has(told.type);
    if (known !== undefined && !isTold) return;
    const headers = this.ring.headers(version);
    if (headers === undefined) return;
    const data = told && new Uint8Array(told.data.subarray(0, 64));
    const [picture, sound] = told?.type === TRACK_TYPES.v1 ? [data, undefined] : [undefined, data];
    const codecs = hlsCodecs(headers, picture, sound);
    if (known === undefined) this.#codecs.set(discontinuity, { codecs, seen: new Set() });
    else {
      known.seen.add(told!.type);
      known.codecs = codecs;
    }
  }

  #trim(): void {
    // Of what begins with the oldest tag nobody knows whether it is whole who has not seen the one before.
    for (const name of TRACK_NAMES) this.#tracks[name].trim(this.ring.tail + 1);
    const oldest = this.segments('v1')[0]?.discontinuity;
    if (oldest !== undefined) {
      for (const known of this.#codecs.keys()) if (known < oldest) this.#codecs.delete(known);
    }
    this.#listing = undefined;
  }

  #list(): HlsListing {
    const { v1, a1 } = this.#tracks;
    const newest = v1.segments.at(-1)?.discontinuity ?? 0;
    const refusal = this.codecsOf(newest)?.refusal;
    if (refusal !== undefined) throw refusal;
    const run = this.#newestRun() ?? newest;
    const tracks = this.codecsOf(run)?.tracks;
    const durations = v1.segments.map((segment, at) => Math.max(segment.duration, a1.segments[at]!.duration));
    const from = this.#firstListed(durations);
    let longest = this.limits.segment;
    let longestPart = this.limits.part;
    for (const { segments } of [v1, a1]) {
      for (const { duration, parts } of segments) {
        longest = Math.max(longest, duration);
        for (const part of parts) longestPart = Math.max(longestPart, part.duration);
      }
    }
    return {
      run,
      names: TRACK_NAMES.filter(name => tracks?.has(name)),
      from,
      durations,
      target: Math.max(1, Math.round(longest / 1000)),
      partTarget: Math.ceil(longestPart / PART_STEP) * PART_STEP,
      isEnded: this.#isEnded,
    };
  }

  /** Of a run that has just begun there may be nothing to play yet, nor to tell rates of. */
  #newestRun(): number | undefined {
    const runs = TRACK_NAMES.flatMap(name => this.segments(name).findLast(hasParts)?.discontinuity ?? []);
    return runs.length === 0 ? undefined : Math.max(...runs);
  }

  /**
   * Of what the ring holds, what is in the window. Segments have to be there for as long again as a playlist had them
   * (RFC 8216 section 6.2.2), so that at most the newer half of a ring is listed that has lost something. Both bounds
   * only move forward, and are the same for all processes.
   */
  #firstListed(durations: readonly number[]): number {
    const segments = this.segments('v1');
    const total = durations.reduce((sum, duration) => sum + duration, 0);
    const most = this.ring.tail > 0 ? Math.min(this.limits.window, total / 2) : this.limits.window;
    let from = segments.length;
    for (let lasts = 0; from > 0 && (lasts < most || segments.length - from < LISTED_MIN); from--) {
      if (this.codecsOf(segments[from - 1]!.discontinuity)?.refusal !== undefined) break;
      lasts += durations[from - 1]!;
    }
    return from;
  }
}
