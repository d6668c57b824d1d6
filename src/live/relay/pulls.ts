import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeOwnFolder } from '../../base/own-files.js';
import { isStreamName } from '../../base/stream-name.js';
import { ringFile, ringsIn } from '../publish/ring-files.js';
import { lastTimes } from '../ring/ring-reader.js';
import { RingWriter } from '../ring/ring-writer.js';
import type { StreamPlace } from '../ring/stream-place.js';
import { type LeftRing, Pull, type PullSource, type PullTimes } from './pull.js';

/** What pulls are made with. */
export interface PullsOptions {
  /** Folder of the rings, on a tmpfs; none but these lie there. */
  readonly folder: string;
  /**
   * Servers that may have a stream, in the order in which they are asked; none where nobody can have it.
   * @param via edges that whoever wants it has gone through
   */
  sources(name: string, via: string): readonly PullSource[];
  /** @param began when the stream did, in milliseconds since 1970, if that is known */
  create(file: string, began: number | undefined): RingWriter;
  readonly grace: () => number;
  /** Milliseconds for which a stream is pulled after the last viewer. */
  readonly linger: number;
  readonly times: PullTimes;
  readonly log: Log;
  /** There are other streams than before. */
  changed(): void;
  /** A stream that somebody wants is nowhere. */
  missing(name: string): void;
}

/** Most streams that are pulled at once. */
const PULLS_MAX = 1000;

interface Known {
  readonly pull: Pull;
  readonly place: StreamPlace;
  linger: NodeJS.Timeout;
}

/** All streams that others publish and somebody watches here. */
export class Pulls {
  readonly #options: PullsOptions;
  readonly #pulls = new Map<string, Known>();

  constructor(options: PullsOptions) {
    this.#options = options;
    makeOwnFolder(options.folder);
    this.#adopt();
  }

  /** Those that have come. */
  get places(): readonly StreamPlace[] {
    return [...this.#pulls.values()].filter(({ pull }) => pull.isReady).map(({ place }) => place);
  }

  /** Somebody wants a stream, or watches it still. */
  want(name: string, via: string): void {
    const known = this.#pulls.get(name);
    if (known !== undefined) {
      known.linger.refresh();
      return;
    }
    const isPossible = isStreamName(name) && this.#pulls.size < PULLS_MAX;
    if (!isPossible || this.#options.sources(name, via).length === 0) this.#options.missing(name);
    else this.#begin(this.#newPlace(name), via);
  }

  /** It is published here now. */
  drop(name: string): void {
    this.#pulls.get(name)?.pull.stop();
  }

  stop(how: 'end' | 'leave'): void {
    for (const { pull, linger } of [...this.#pulls.values()]) {
      clearTimeout(linger);
      if (how === 'end') pull.stop();
      else pull.leave();
    }
    this.#pulls.clear();
  }

  /** Goes on with the streams of a process that has died or handed over. */
  #adopt(): void {
    for (const place of ringsIn(this.#options.folder)) {
      try {
        if (this.#pulls.has(place.name)) throw new EdgeError('bad_config', 'there is a newer one');
        const left = { ring: RingWriter.open(place.file), last: lastTimes(place.file) };
        this.#begin({ ...place, isPulled: true }, '', left);
      } catch (error) {
        this.#options.log.warn({ file: place.file, error }, 'a pulled stream can not be gone on with');
        rmSync(place.file, { force: true });
      }
    }
  }

  #newPlace(name: string): StreamPlace {
    const id = Date.now() * 1000 + randomInt(1000);
    return { name, id, file: ringFile(this.#options.folder, name, id), isPulled: true };
  }

  #begin(place: StreamPlace, via: string, left?: LeftRing): void {
    const { name, file } = place;
    const { sources, create, grace, times, log, linger, changed, missing } = this.#options;
    const pull = new Pull(
      {
        name,
        sources: () => sources(name, via),
        ring: began => create(file, began),
        grace,
        times,
        log,
        ready: () => {
          log.info({ stream: name }, 'a live stream is pulled');
          changed();
        },
        ended: found => {
          clearTimeout(known.linger);
          this.#pulls.delete(name);
          if (found) {
            changed();
            log.info({ stream: name }, 'a live stream is pulled no more');
          } else missing(name);
        },
      },
      left,
    );
    const known: Known = { pull, place, linger: setTimeout(() => pull.stop(), linger) };
    this.#pulls.set(name, known);
  }
}
