import { EdgeError } from '../../base/errors.js';
import { type NativeRingWriter, native } from '../../base/native.js';
import type { LiveHeaders, LiveState, LiveTag } from './live-tag.js';

/** How a ring is made. */
export interface RingOptions {
  /** Most bytes of tags that are kept, from 1 MiB to 1 GiB; memory is taken as they come. */
  readonly bytes: number;
  /** Milliseconds of tags that are kept, and at least two groups of pictures, as far as `bytes` allows. */
  readonly milliseconds: number;
  /** Least milliseconds of a segment of HLS; 2000 when left out. */
  readonly segment?: number;
  /** When the stream began, in milliseconds since 1970: numbers of segments count from there. Now when left out. */
  readonly createdAt?: number;
}

/** As in native/live_ring_layout.h. */
const STATES = { publishing: 1, waiting: 2, ended: 3 } as const satisfies Record<LiveState, number>;

const SEGMENT = 2000;

/**
 * The ring of one live stream, for the one process that writes it. The file is private to its owner, and is there until
 * `close`: the ring of a writer that died is taken over by `open`, and its readers go on.
 */
export class RingWriter {
  readonly #native: NativeRingWriter;
  readonly #file: string;

  private constructor(file: string, opened: NativeRingWriter) {
    this.#file = file;
    this.#native = opened;
  }

  /**
   * Makes a ring in a new file, which takes the place of what stood under the name.
   * @throws EdgeError `bad_config` when that can't be
   */
  static create(file: string, { bytes, milliseconds, segment = SEGMENT, createdAt }: RingOptions): RingWriter {
    return new RingWriter(
      file,
      opened(() => new native.NativeRingWriter(file, bytes, milliseconds, segment, createdAt)),
    );
  }

  /**
   * Goes on with the ring that a dead writer left.
   * @throws EdgeError `bad_config` when there is none that can be used, or its writer lives
   */
  static open(file: string): RingWriter {
    return new RingWriter(
      file,
      opened(() => new native.NativeRingWriter(file)),
    );
  }

  /** Timestamp of the newest tag, in milliseconds; 0 when there is none. */
  get timestamp(): number {
    return this.#native.timestamp();
  }

  /** Number that the next tag gets, unless headers that have changed come before it. */
  get head(): number {
    return this.#native.head();
  }

  /** Milliseconds since the newest tag came; 0 when there is none. */
  get age(): number {
    return this.#native.age();
  }

  /**
   * States the headers of the tags that follow. Where they differ from those before, the next tag is preceded by tags
   * of those that changed, and viewers that begin behind it get the new ones.
   * @throws EdgeError `bad_request` when they have more than 63 KiB
   */
  setHeaders({ metadata, video, audio, extra, hasVideo, hasAudio }: LiveHeaders): void {
    if (this.#native.setHeaders(metadata, video, audio, extra, hasVideo, hasAudio)) return;
    throw new EdgeError('bad_request', `headers of a live stream have at most 63 KiB in all; found ${sizes()}`);
    function sizes(): string {
      return [metadata, video, audio, extra].map(part => part?.length ?? 0).join(' + ');
    }
  }

  /**
   * Appends a tag, which readers see at once.
   * @returns false when nobody gets it: it has more than 16 MiB or half of the ring, memory has run out, or a tag was
   *   lost before and this one can't be decoded without it
   * @throws EdgeError `internal` when another process has taken the ring over
   */
  append({ type, timestamp, keyFrame, body }: LiveTag): boolean {
    const appended = this.#native.append(type, timestamp, keyFrame, body);
    if (appended === 2) throw new EdgeError('internal', `the live stream of ${this.#file} has another writer`);
    return appended === 0;
  }

  setState(state: LiveState): void {
    this.#native.setState(STATES[state]);
  }

  /**
   * Segments of HLS are numbered elsewhere from here on, until a publisher comes: the next tag is of this one, and so
   * are those behind it. Numbers that would go back count as the next ones.
   */
  beginNumbers(segment: number, discontinuity: number): void {
    this.#native.beginNumbers(segment, discontinuity);
  }

  /** Timestamps begin anew. */
  newEpoch(): void {
    this.#native.newEpoch();
  }

  /** Ends the stream, and removes the file. */
  close(): void {
    this.setState('ended');
    this.#native.close(true);
  }

  /** Lets go of the ring, which another writer may go on with. */
  leave(): void {
    this.#native.close(false);
  }
}

/** What the addon refuses, as an error that people read. */
export function opened<T>(open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw new EdgeError('bad_config', (cause as Error).message, { cause });
  }
}
