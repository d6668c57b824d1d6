import type { Log } from '../../base/log.js';
import type { StreamPlace } from '../ring/stream-place.js';
import { type HlsLimits, HlsStream } from './hls-stream.js';

/**
 * The streams that HLS is made of in this process. One that has ended is there for as long again as its playlists go
 * back, so that players come to its end.
 */
export class HlsStreams {
  readonly #limits: HlsLimits;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #streams = new Map<string, HlsStream>();

  /** @param now milliseconds of a clock that only goes on */
  constructor(limits: HlsLimits, log: Log, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#log = log;
    this.#now = now;
  }

  /** Takes the streams that there are from now on. */
  update(places: readonly StreamPlace[]): void {
    const named = new Map(places.map(place => [place.name, place]));
    for (const stream of this.#streams.values()) {
      const place = named.get(stream.name);
      if (place?.id === stream.id) continue;
      if (place !== undefined || !this.#endsWell(stream)) this.#forget(stream);
      else stream.endedAt ??= this.#now();
    }
    this.#forgetOld();
    for (const place of places) {
      if (this.#streams.has(place.name)) continue;
      try {
        // At once: a stream that has ended has no file that another process could open.
        this.#streams.set(place.name, new HlsStream(place, this.#limits));
      } catch (error) {
        this.#log.warn({ stream: place.name, file: place.file, error }, 'a live stream can not be opened for HLS');
      }
    }
  }

  /** The stream of a name, as APP/NAME; undefined when there is none. */
  find(name: string): HlsStream | undefined {
    this.#forgetOld();
    return this.#streams.get(name);
  }

  close(): void {
    for (const stream of this.#streams.values()) this.#forget(stream);
  }

  #endsWell(stream: HlsStream): boolean {
    return stream.ring.refresh() && stream.ring.state === 'ended';
  }

  #forgetOld(): void {
    const now = this.#now();
    for (const stream of this.#streams.values()) {
      if (stream.endedAt !== undefined && now - stream.endedAt > this.#limits.window) this.#forget(stream);
    }
  }

  #forget(stream: HlsStream): void {
    this.#streams.delete(stream.name);
    stream.close();
  }
}
