import { randomInt } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeOwnFolder } from '../../base/own-files.js';
import { isStreamName } from '../../base/stream-name.js';
import { LEVELS } from '../delivery/link-fields.js';
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

/** Milliseconds for which a server that has a stream no more may send what it had. */
const MOVE = 2000;

/** A pulled stream in `/stats`. */
export interface PulledStats {
  readonly name: string;
  readonly state: 'pulled';
  /** Links between the server to which it is published and this one. */
  readonly level: number | undefined;
  /** Id of the edge of the cluster that it comes from; undefined for another server. */
  readonly from: string | undefined;
}

/** Milliseconds from one word about servers that do not answer to the next. */
const TELL = 10_000;

interface Known {
  readonly pull: Pull;
  readonly place: StreamPlace;
  /** As workers have been told. */
  level: number | undefined;
  linger: NodeJS.Timeout;
}

/** All streams that others publish and somebody watches here. */
export class Pulls {
  readonly #options: PullsOptions;
  readonly #pulls = new Map<string, Known>();
  /** Told when something has come of a pull. */
  readonly #waiting = new Set<() => void>();
  /** When it was told last that no server answers. */
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: PullsOptions) {
    this.#options = options;
    makeOwnFolder(options.folder);
    this.#adopt();
  }

  /** Those that have come. */
  get places(): readonly StreamPlace[] {
    return this.#ready.map(({ place, pull: { level } }) => ({ ...place, level }));
  }

  get stats(): readonly PulledStats[] {
    return this.#ready.map(({ place: { name }, pull: { level, from } }) => ({ name, state: 'pulled', level, from }));
  }

  get #ready(): readonly Known[] {
    return [...this.#pulls.values()].filter(({ pull }) => pull.isReady);
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

  /** Goes on with what this edge has of a stream that is published to another one now. */
  adopt(place: StreamPlace): void {
    const file = ringFile(this.#options.folder, place.name, place.id);
    try {
      renameSync(place.file, file);
      // Until it comes from there, nobody else gets it from here.
      this.#goOn({ ...place, file }, LEVELS);
    } catch (error) {
      this.#options.log.warn({ stream: place.name, error }, 'a live stream can not be gone on with');
      rmSync(place.file, { force: true });
    }
    this.#options.changed();
  }

  /** Brings a stream here that somebody wants to publish here. Resolves when it is, or after so many milliseconds. */
  bring(name: string, most: number): Promise<void> {
    this.want(name, '');
    return this.#when(() => this.#pulls.get(name)?.pull.isReady !== false, most);
  }

  /** Resolves when all has come that the other server had, or after so many milliseconds. */
  complete(name: string, most: number): Promise<void> {
    return this.#when(() => (this.#pulls.get(name)?.pull.link ?? 0) === 0, most);
  }

  /** What has come of a stream, which is published here from now on. @param folder where it lies then */
  handOver(name: string, folder: string): StreamPlace | undefined {
    const known = this.#pulls.get(name);
    if (known === undefined || !known.pull.isReady) return undefined;
    clearTimeout(known.linger);
    this.#pulls.delete(name);
    known.pull.leave();
    const { id, file } = known.place;
    const place = { name, id, file: ringFile(folder, name, id) };
    renameSync(file, place.file);
    return place;
  }

  /**
   * Another edge of the cluster has a stream now: the one that had it ends its links, or hangs. Who has it from an edge
   * in between stays there.
   */
  moved(name: string, holder: string): void {
    const pull = this.#pulls.get(name)?.pull;
    if (pull === undefined || pull.link === 0 || pull.from === holder || pull.level !== 1) return;
    const { link } = pull;
    setTimeout(() => pull.unlink(link), MOVE).unref();
  }

  /** An edge of the cluster is there no more: what came from it is had from another one. */
  lost(peer: string): void {
    for (const { pull } of this.#pulls.values()) if (pull.from === peer && pull.link > 0) pull.unlink(pull.link);
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
        this.#goOn(place, undefined);
      } catch (error) {
        this.#options.log.warn({ file: place.file, error }, 'a pulled stream can not be gone on with');
        rmSync(place.file, { force: true });
      }
    }
  }

  /** @throws EdgeError when there is no ring to go on with */
  #goOn(place: StreamPlace, level: number | undefined): void {
    this.#begin(place, '', { ring: RingWriter.open(place.file), last: lastTimes(place.file), level });
  }

  #when(isTrue: () => boolean, most: number): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise(resolve => {
      const look = () => {
        if (isTrue()) end();
      };
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(end, most);
      this.#waiting.add(look);
    });
  }

  /** Viewers may ask for any number of names. */
  #tellFailure(stream: string, why: string): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL) return;
    this.#toldAt = now;
    this.#options.log.warn({ stream, why }, 'a live stream can not be pulled: no server that may have it has said so');
  }

  #newPlace(name: string): StreamPlace {
    const id = Date.now() * 1000 + randomInt(1000);
    return { name, id, file: ringFile(this.#options.folder, name, id) };
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
        moved: () => {
          for (const look of [...this.#waiting]) look();
          if (known.level === pull.level) return;
          known.level = pull.level;
          if (pull.isReady) changed();
        },
        ended: (found, why) => {
          clearTimeout(known.linger);
          this.#pulls.delete(name);
          for (const look of [...this.#waiting]) look();
          if (found) {
            changed();
            log.info({ stream: name }, 'a live stream is pulled no more');
          } else {
            if (why !== undefined) this.#tellFailure(name, why);
            missing(name);
          }
        },
      },
      left,
    );
    const known: Known = { pull, place, level: left?.level, linger: setTimeout(() => pull.stop(), linger) };
    this.#pulls.set(name, known);
  }
}
