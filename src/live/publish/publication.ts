import { SCRIPT_TAG, VIDEO_TAG } from '../../media/flv/tag.js';
import type { LiveHeaders, LiveTag } from '../ring/live-tag.js';
import { RtmpError } from '../rtmp/rtmp-error.js';
import { announcedTracks, readScript } from './metadata.js';
import { StreamHeaders } from './stream-headers.js';
import { tagKindOf } from './tag-kind.js';
import type { Timeline } from './timeline.js';

/** Milliseconds for which first tags are held until both tracks have come. */
const OPENING = 1000;
/** Most bytes of them. */
const OPENING_BYTES = 4 * 1024 * 1024;
/** Most bytes of a header or script: all headers of a stream have room in its ring. */
const HEADER_MAX = 20 * 1024;
/** Most changes of headers in so many milliseconds. */
const CHANGES_MAX = 40;
const CHANGES_TIME = 10_000;
/** A timestamp by which an epoch ends, whether viewers can begin there or not. */
const LAST_TIMESTAMP = 2 ** 31 - 60_000;
/** Milliseconds over which bitrates are measured. */
const RATE_TIME = 2000;

/** Where a stream's tags go. */
export interface TagSink {
  /** What follows needs these. */
  setHeaders(headers: LiveHeaders): void;
  append(tag: LiveTag): void;
  newEpoch(): void;
}

/** A stream as its publisher sends it, in `/stats`. */
export interface PublicationStats {
  readonly video: string | undefined;
  readonly audio: string | undefined;
  readonly bitsPerSecond: number;
  /** Between the last two key frames. */
  readonly keyFrameIntervalMs: number | undefined;
  readonly framesSinceKeyFrame: number;
  readonly bytes: number;
}

interface HeldTag {
  readonly type: 8 | 9;
  readonly timestamp: number;
  readonly body: Buffer;
  readonly key: boolean;
}

/**
 * What one publisher sends to a stream: its headers are kept apart from its frames, its timestamps become those of the
 * stream, and video begins at a key frame.
 */
export class Publication {
  readonly #sink: TagSink;
  readonly #timeline: Timeline;
  readonly #now: () => number;
  readonly #headers = new StreamHeaders();
  /** First tags, until it is known which tracks there are; undefined afterwards. */
  #held: HeldTag[] | undefined = [];
  #heldBytes = 0;
  readonly #timer: NodeJS.Timeout;
  /** The one track that metadata announce, when they do. */
  #expected: { readonly video: boolean; readonly audio: boolean } | undefined;
  #hasKeyFrame = false;
  readonly #codecs: { video?: string; audio?: string } = {};
  #bytes = 0;
  #keyTime: number | undefined;
  #keyInterval: number | undefined;
  #sinceKey = 0;
  #rate = { at: 0, bytes: 0, value: 0 };
  #changes = { at: 0, count: 0 };

  /** @param now milliseconds of a clock that only goes on */
  constructor(sink: TagSink, timeline: Timeline, now: () => number) {
    this.#sink = sink;
    this.#timeline = timeline;
    this.#now = now;
    this.#rate.at = now();
    this.#timer = setTimeout(() => this.#open(), OPENING);
  }

  get stats(): PublicationStats {
    return {
      video: this.#codecs.video,
      audio: this.#codecs.audio,
      bitsPerSecond: Math.round(this.#rate.value),
      keyFrameIntervalMs: this.#keyInterval,
      framesSinceKeyFrame: this.#sinceKey,
      bytes: this.#bytes,
    };
  }

  /**
   * Takes a message of the publisher.
   * @param timestamp 0 to 2^32-1
   * @param payload copied where it is kept
   * @throws RtmpError when it asks for too much
   */
  take(type: 8 | 9 | 18, timestamp: number, payload: Buffer): void {
    this.#count(payload.length);
    if (type === SCRIPT_TAG) this.#takeScript(payload);
    else this.#takeMedia(type, timestamp, payload);
  }

  /** The publisher is gone: what is held goes on its way. */
  end(): void {
    clearTimeout(this.#timer);
    this.#open();
  }

  #takeScript(payload: Buffer): void {
    const script = payload.length > HEADER_MAX ? undefined : readScript(payload);
    if (script === undefined) return;
    if (script.isMetadata) {
      this.#headers.setMetadata(script.body, this.#now());
      const tracks = announcedTracks(script.body);
      if (tracks?.video !== tracks?.audio) this.#expected = tracks;
    } else if (this.#held === undefined) {
      this.#append(SCRIPT_TAG, this.#timeline.time, script.body, false);
    }
  }

  #takeMedia(type: 8 | 9, timestamp: number, body: Buffer): void {
    const found = tagKindOf(type, body);
    if (found.kind === 'nothing') return;
    this.#headers.sees(type);
    this.#codecs[type === VIDEO_TAG ? 'video' : 'audio'] = found.codec;
    if (found.kind === 'header') {
      if (body.length > HEADER_MAX) {
        throw new RtmpError(
          'limit',
          `expected a codec configuration of at most ${HEADER_MAX} bytes, found ${body.length}`,
        );
      }
      this.#headers.set(found.slot, type, body);
      this.#countChange();
      return;
    }
    const { key } = found;
    if (type === VIDEO_TAG && !this.#hasKeyFrame) {
      // What comes before the first one can't be decoded, or would be with another publisher's pictures.
      if (!key) return;
      this.#hasKeyFrame = true;
    }
    if (this.#held === undefined) this.#pass({ type, timestamp, body, key });
    else this.#hold({ type, timestamp, body: Buffer.from(body), key }, this.#held);
  }

  #hold(tag: HeldTag, held: HeldTag[]): void {
    held.push(tag);
    this.#heldBytes += tag.body.length;
    const { hasVideo, hasAudio } = this.#headers;
    const isComplete = (hasVideo || this.#expected?.video === false) && (hasAudio || this.#expected?.audio === false);
    // Audio that comes before the first key frame is held, too: it may be later than that.
    const waits = hasVideo && !this.#hasKeyFrame;
    const span = Math.abs((tag.timestamp - held[0]!.timestamp) | 0);
    if ((isComplete && !waits) || span >= OPENING || this.#heldBytes > OPENING_BYTES) this.#open();
  }

  /** It is known, or not to be known, which tracks there are. */
  #open(): void {
    const held = this.#held;
    if (held === undefined || held.length === 0) return;
    clearTimeout(this.#timer);
    this.#held = undefined;
    const first = held[0]!.timestamp;
    const least = Math.min(...held.map(({ timestamp }) => (timestamp - first) | 0));
    this.#timeline.begin((first + least) >>> 0);
    for (const tag of held) this.#pass(tag);
  }

  #pass({ type, timestamp, body, key }: HeldTag): void {
    const timeline = this.#timeline;
    if (timeline.isOld && (key || !this.#headers.hasVideo || timeline.time >= LAST_TIMESTAMP)) {
      timeline.renew();
      this.#keyTime = undefined;
      this.#sink.newEpoch();
    }
    const time = timeline.place(type, timestamp);
    if (key) this.#headers.settle(this.#now());
    if (this.#headers.hasChanged) this.#tellHeaders(time);
    if (type === VIDEO_TAG) this.#countFrame(time, key);
    this.#append(type, time, body, key);
  }

  #tellHeaders(time: number): void {
    const { headers, extra } = this.#headers.take();
    this.#sink.setHeaders(headers);
    for (const { type, body } of extra) this.#append(type, time, body, false);
  }

  #append(type: 8 | 9 | 18, timestamp: number, body: Uint8Array, keyFrame: boolean): void {
    this.#sink.append({ type, timestamp, body: [body], keyFrame });
  }

  #countFrame(time: number, key: boolean): void {
    this.#sinceKey++;
    if (!key) return;
    if (this.#keyTime !== undefined) this.#keyInterval = time - this.#keyTime;
    this.#keyTime = time;
    this.#sinceKey = 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const now = this.#now();
    const elapsed = now - this.#rate.at;
    if (elapsed < RATE_TIME) return;
    this.#rate = { at: now, bytes: this.#bytes, value: ((this.#bytes - this.#rate.bytes) * 8000) / elapsed };
  }

  #countChange(): void {
    if (!this.#headers.hasChanged) return;
    const now = this.#now();
    if (now - this.#changes.at > CHANGES_TIME) this.#changes = { at: now, count: 0 };
    if (++this.#changes.count <= CHANGES_MAX) return;
    throw new RtmpError(
      'limit',
      `expected headers that stay, found ${CHANGES_MAX} changes in ${CHANGES_TIME / 1000} s`,
    );
  }
}
