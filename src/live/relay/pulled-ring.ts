import { SCRIPT_TAG, VIDEO_TAG } from '../../media/flv/tag.js';
import { type RingNumbers, readNumbers } from '../delivery/link-fields.js';
import { StreamHeaders } from '../publish/stream-headers.js';
import { tagKindOf } from '../publish/tag-kind.js';
import type { RingWriter } from '../ring/ring-writer.js';

/** Milliseconds by which a timestamp is before the last one when a link begins anew, and the stream is the same. */
const OVERLAP = 120_000;
/** Timestamps that go back by more than this within a link are those of another epoch. */
const BACK = 10_000;

/**
 * What comes from another server, put into a ring as it is: timestamps stay, and so do the numbers of segments where
 * the other one tells them. A link that begins anew sends some tags once more, which are left out.
 */
export class PulledRing {
  readonly #ring: RingWriter;
  readonly #headers = new StreamHeaders();
  /** Timestamps of the last tags, by type. */
  readonly #last: Map<number, number>;
  /** The link is new: tags may have come before. */
  #isNew = true;
  #overlaps = false;
  #isFirst: boolean;
  /** Numbers of the tags that come, and whether the ring has not been told them. */
  #numbers: RingNumbers | undefined;
  #isUntold = false;

  /** @param last timestamps of the last tags that another process has left, by type; none for a new ring */
  constructor(ring: RingWriter, last: ReadonlyMap<number, number> = new Map()) {
    this.#ring = ring;
    this.#last = new Map(last);
    this.#isFirst = last.size === 0;
  }

  /** Whether something has come. */
  get hasTags(): boolean {
    return !this.#isFirst;
  }

  /** Another link begins. */
  begin(): void {
    this.#isNew = true;
    this.#overlaps = false;
    this.#numbers = undefined;
  }

  take(type: 8 | 9 | 18, timestamp: number, body: Buffer): void {
    if (type === SCRIPT_TAG) {
      this.#takeScript(timestamp, body);
      return;
    }
    const found = tagKindOf(type, body);
    if (found.kind === 'nothing') return;
    this.#headers.sees(type);
    if (found.kind === 'header') {
      this.#headers.set(found.slot, type, body);
      return;
    }
    if (this.#isNew) this.#resume(timestamp);
    const last = this.#last.get(type);
    if (this.#overlaps && last !== undefined) {
      if (timestamp <= last) return;
    } else if (last !== undefined && timestamp < last - BACK) this.#newEpoch();
    this.#last.set(type, timestamp);
    this.#append(type, timestamp, body, type === VIDEO_TAG && found.key);
  }

  #takeScript(timestamp: number, body: Buffer): void {
    const numbers = readNumbers(body);
    if (numbers !== undefined) {
      this.#numbers = numbers;
      this.#isUntold = true;
    } else if (body.includes('onMetaData')) this.#headers.setMetadata(body, performance.now());
    else if (!this.#isFirst && !this.#isOld(timestamp)) this.#append(SCRIPT_TAG, timestamp, body, false);
  }

  /** Whether a tag that is no frame has come by an earlier link. */
  #isOld(timestamp: number): boolean {
    return this.#isNew || (this.#overlaps && timestamp <= Math.max(...this.#last.values()));
  }

  /** The first frame of a link: whether the stream is the one that was there before. */
  #resume(timestamp: number): void {
    this.#isNew = false;
    if (this.#last.size === 0) return;
    const last = Math.max(...this.#last.values());
    this.#overlaps = timestamp <= last && timestamp > last - OVERLAP;
    if (timestamp < last && !this.#overlaps) this.#newEpoch();
  }

  #newEpoch(): void {
    this.#last.clear();
    this.#overlaps = false;
    this.#ring.newEpoch();
  }

  #append(type: 8 | 9 | 18, timestamp: number, body: Buffer, keyFrame: boolean): void {
    if (this.#numbers !== undefined && this.#isUntold) {
      this.#isUntold = false;
      this.#ring.beginNumbers(this.#numbers.segment, this.#numbers.discontinuity);
    }
    if (this.#headers.hasChanged) {
      const { headers, extra } = this.#headers.take();
      this.#ring.setHeaders(headers);
      for (const each of extra) this.#ring.append({ ...each, timestamp, body: [each.body], keyFrame: false });
    }
    this.#isFirst = false;
    this.#ring.append({ type, timestamp, body: [body], keyFrame });
  }
}
