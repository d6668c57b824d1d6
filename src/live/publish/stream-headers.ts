import { tagHeader, tagTrailer } from '../../media/flv/tag.js';
import type { LiveHeaders } from '../ring/live-tag.js';

/** Slots of `describePayload` for the main tracks: of the one-byte headers, and of Enhanced RTMP. */
const VIDEO = ['video', 'video-0-start'];
const AUDIO = ['audio', 'audio-0-start'];
/** Most slots beside those: metadata of colour, further tracks. */
const EXTRA_MAX = 16;
/** Most bytes of all headers, so that a ring has room for them: further ones are sent once, but to nobody who joins. */
const BYTES_MAX = 62 * 1024;

/** Least milliseconds between metadata that differ. */
const METADATA_INTERVAL = 10_000;

/** A tag that decoders need and that is none of the main headers. */
export interface ExtraHeader {
  readonly type: 8 | 9;
  readonly body: Uint8Array;
}

/** The headers of a stream, as one publisher gives them. What repeats what is known changes nothing. */
export class StreamHeaders {
  #metadata: Uint8Array | undefined;
  /** Metadata that differ and do not count yet. */
  #nextMetadata: Uint8Array | undefined;
  #metadataAt = 0;
  #video: Uint8Array | undefined;
  #audio: Uint8Array | undefined;
  readonly #extra = new Map<string, ExtraHeader>();
  readonly #changedExtra = new Set<string>();
  #hasVideo = false;
  #hasAudio = false;
  /** Changes of the main headers so far. */
  changes = 0;
  #taken = 0;

  get hasVideo(): boolean {
    return this.#hasVideo;
  }

  get hasAudio(): boolean {
    return this.#hasAudio;
  }

  /** Whether something has changed since `take`. */
  get hasChanged(): boolean {
    return this.changes !== this.#taken || this.#changedExtra.size > 0;
  }

  /** A track has been seen. */
  sees(type: 8 | 9): void {
    if (type === 9 ? this.#hasVideo : this.#hasAudio) return;
    if (type === 9) this.#hasVideo = true;
    else this.#hasAudio = true;
    this.changes++;
  }

  /**
   * Some publishers measure their bitrate, and say it anew several times a second: of metadata that differ, the newest
   * count when some time has passed, or with another configuration of a codec.
   * @param body data of a script tag that begins with `onMetaData`; copied when it is new
   * @param now milliseconds
   */
  setMetadata(body: Uint8Array, now: number): void {
    this.#nextMetadata = isSame(this.#metadata, body) ? undefined : copyOf(body);
    this.settle(now);
  }

  /** Metadata that have waited for long enough count. */
  settle(now: number): void {
    if (this.#nextMetadata === undefined) return;
    if (this.#metadata !== undefined && now - this.#metadataAt < METADATA_INTERVAL) return;
    this.#metadataAt = now;
    this.#change();
  }

  /** @param body copied when it is new */
  set(slot: string, type: 8 | 9, body: Uint8Array): void {
    if (VIDEO.includes(slot)) {
      if (isSame(this.#video, body)) return;
      this.#video = copyOf(body);
      this.#change();
    } else if (AUDIO.includes(slot)) {
      if (isSame(this.#audio, body)) return;
      this.#audio = copyOf(body);
      this.#change();
    } else {
      const before = this.#extra.get(slot);
      if (isSame(before?.body, body) || (before === undefined && this.#extra.size === EXTRA_MAX)) return;
      this.#extra.set(slot, { type, body: copyOf(body) });
      this.#changedExtra.add(slot);
    }
  }

  #change(): void {
    this.changes++;
    this.#metadata = this.#nextMetadata ?? this.#metadata;
    this.#nextMetadata = undefined;
  }

  /** All headers as they are, and those beside the main ones that have changed since this was last called. */
  take(): { headers: LiveHeaders; extra: readonly ExtraHeader[] } {
    const extra = [...this.#changedExtra].map(slot => this.#extra.get(slot)!);
    this.#changedExtra.clear();
    this.#taken = this.changes;
    const headers: LiveHeaders = {
      hasVideo: this.#hasVideo,
      hasAudio: this.#hasAudio,
      ...(this.#metadata && { metadata: this.#metadata }),
      ...(this.#video && { video: this.#video }),
      ...(this.#audio && { audio: this.#audio }),
      ...(this.#extra.size > 0 && { extra: this.#extraTags() }),
    };
    return { headers, extra };
  }

  /** The further headers that there is room for, as tags. */
  #extraTags(): Uint8Array {
    const mains = [this.#metadata, this.#video, this.#audio];
    let left = BYTES_MAX - mains.reduce((sum, each) => sum + (each?.length ?? 0), 0);
    const tags = [...this.#extra.values()].flatMap(({ type, body }) => {
      const tag = [tagHeader(type, body.length, 0), body, tagTrailer(body.length)];
      const size = tag.reduce((sum, { length }) => sum + length, 0);
      if (size > left) return [];
      left -= size;
      return tag;
    });
    return Buffer.concat(tags);
  }
}

function isSame(before: Uint8Array | undefined, body: Uint8Array): boolean {
  return before !== undefined && Buffer.compare(before, body) === 0;
}

function copyOf(body: Uint8Array): Uint8Array {
  return new Uint8Array(body);
}
