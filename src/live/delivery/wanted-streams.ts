import { isStreamName } from '../../base/stream-name.js';
import type { LiveViewing } from './live-viewing.js';
import type { WatchedStream } from './watched-stream.js';

/** A stream that somebody wants, and the edges that the request has gone through (RFC 8586), '' for none. */
export interface WantedStream {
  readonly name: string;
  readonly via: string;
}

/** What is wanted of other servers is told by these. */
export interface WantedOptions {
  readonly viewing: LiveViewing;
  /** Has streams brought here, or kept. */
  want(streams: readonly WantedStream[]): void;
  /** Milliseconds for which somebody waits for a stream. */
  readonly patience: number;
}

/** Milliseconds between two tellings of what is watched still. */
export const WATCHED_INTERVAL = 2000;

/** Most streams that are waited for at once, and that are remembered not to be there. */
const WAITED_MAX = 1000;
/** Milliseconds for which a stream that is nowhere is not asked for again. */
const MISSING = 1000;

interface Waited {
  readonly stream: Promise<WatchedStream | undefined>;
  settle(stream: WatchedStream | undefined): void;
}

/** Streams that are not here, but may be elsewhere: viewers wait until they are here, or are nowhere. */
export class WantedStreams {
  readonly #options: WantedOptions;
  readonly #waited = new Map<string, Waited>();
  /** Names, and when they were found to be nowhere. */
  readonly #missing = new Map<string, number>();
  /** Names asked for since they were told last. */
  readonly #touched = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  /** This edge in the lists of edges that requests have gone through. */
  self = '';

  constructor(options: WantedOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tell(), WATCHED_INTERVAL).unref();
  }

  /**
   * The stream of a name, at once when it is here.
   * @param via as the request says
   */
  find(name: string, via: string): WatchedStream | Promise<WatchedStream | undefined> | undefined {
    const isLoop = via !== '' && this.self !== '' && via.includes(this.self);
    const here = this.#options.viewing.find(name);
    if (here !== undefined) {
      // What came from elsewhere does not go back there.
      if (here.level === 0) return here;
      if (isLoop) return undefined;
      this.#touched.add(name);
      return here;
    }
    const missing = this.#missing.get(name);
    if (isLoop || !isStreamName(name) || (missing !== undefined && performance.now() - missing < MISSING)) {
      return undefined;
    }
    const waited = this.#waited.get(name);
    if (waited !== undefined) return waited.stream;
    return this.#waited.size < WAITED_MAX ? this.#wait(name, via) : undefined;
  }

  /** There are other streams. */
  update(): void {
    for (const [name, { settle }] of this.#waited) {
      const stream = this.#options.viewing.find(name);
      if (stream !== undefined) settle(stream);
    }
  }

  /** A stream is nowhere. */
  missing(name: string): void {
    if (this.#missing.size >= WAITED_MAX) this.#missing.clear();
    this.#missing.set(name, performance.now());
    this.#waited.get(name)?.settle(undefined);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { settle } of this.#waited.values()) settle(undefined);
  }

  #wait(name: string, via: string): Promise<WatchedStream | undefined> {
    let settle!: Waited['settle'];
    const stream = new Promise<WatchedStream | undefined>(resolve => {
      settle = found => {
        clearTimeout(timer);
        this.#waited.delete(name);
        resolve(found);
      };
    });
    const timer = setTimeout(() => settle(undefined), this.#options.patience);
    this.#waited.set(name, { stream, settle });
    this.#options.want([{ name, via }]);
    return stream;
  }

  /** Tells what is watched: what nobody does is let go of after a while. */
  #tell(): void {
    for (const stream of this.#options.viewing.streams) {
      if (stream.level > 0 && stream.viewers > 0) this.#touched.add(stream.name);
    }
    if (this.#touched.size === 0) return;
    this.#options.want([...this.#touched].map(name => ({ name, via: '' })));
    this.#touched.clear();
  }
}
