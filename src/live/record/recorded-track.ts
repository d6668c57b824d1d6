import { configurationOf, type FrameData } from '../../media/flv/frame-data.js';
import { SAMPLE_DURATION, SAMPLE_FLAGS, SAMPLE_OFFSET, SAMPLE_SIZE } from '../../media/fmp4/moof.js';
import { entryOfConfiguration } from '../../media/packaging/entry-of-configuration.js';
import type { TrackEntry } from '../../media/packaging/init-segment.js';
import { DEPENDENT, SYNC, segmentHead } from '../../media/packaging/media-segment.js';

/** Ticks a second of all tracks: FLV has milliseconds. */
const TIMESCALE = 1000;
/** Milliseconds that the last frame of a file lasts when none before it tells. */
const FRAME = 40;
const MATRIX = Buffer.from(
  [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000].flatMap(value => [24, 16, 8, 0].map(shift => value >>> shift)),
);

interface Sample {
  readonly time: number;
  readonly composition: number;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
}

/** A fragment as it stands in the file. */
export interface RecordedFragment {
  readonly bytes: Uint8Array;
  /** When its first frame is presented, in ticks; undefined when a decoder can't begin there. */
  readonly begins: number | undefined;
}

/** A track of a recording: frames become fragments when it is known how long they last. */
export class RecordedTrack {
  readonly description: TrackEntry;
  readonly #isVideo: boolean;
  #samples: Sample[] = [];
  #lasted = FRAME;
  /** Bytes of the frames that wait. */
  waiting = 0;

  /**
   * @param type of FLV tag
   * @param header data of the tag of its configuration
   * @throws EdgeError `unplayable` when MP4 can't have it
   */
  constructor(type: 8 | 9, header: Uint8Array) {
    this.#isVideo = type === 9;
    const { codec, bytes } = configurationOf(type, header) ?? { codec: 'unknown', bytes: header };
    const { entry, width, height } = entryOfConfiguration(codec, bytes);
    this.description = {
      entry,
      track: {
        ...{ kind: this.#isVideo ? 'video' : 'audio', handler: this.#isVideo ? 'vide' : 'soun' },
        ...{ timescale: TIMESCALE, language: 'und', name: '', alternateGroup: 0, matrix: MATRIX, editMedia: 0, end: 0 },
        ...{ width: width * 0x10000, height: height * 0x10000, defaultDuration: 0, defaultSize: 0 },
        syncs: this.#isVideo ? 'first' : 'all',
      },
    };
  }

  /** Milliseconds from the oldest frame that waits to the newest. */
  get span(): number {
    const { time = 0 } = this.#samples[0] ?? {};
    return (this.#samples.at(-1)?.time ?? time) - time;
  }

  get isEmpty(): boolean {
    return this.#samples.length === 0;
  }

  /** @param data of its tag; copied @param time in the file, in milliseconds */
  add(data: Uint8Array, { from, to, composition, isKey }: FrameData, time: number): void {
    const last = this.#samples.at(-1);
    const monotone = last === undefined ? time : Math.max(time, last.time);
    if (last !== undefined) this.#lasted = monotone - last.time;
    this.#samples.push({ time: monotone, composition, isKey, bytes: Uint8Array.from(data.subarray(from, to)) });
    this.waiting += to - from;
  }

  /**
   * Takes the frames that are whole: the last one waits until the next tells how long it lasts.
   * @param end when the last one ends, for which none is waited then
   */
  take(sequence: number, id: number, end?: number): RecordedFragment | undefined {
    const count = end === undefined ? this.#samples.length - 1 : this.#samples.length;
    if (count <= 0) return undefined;
    const samples = this.#samples.slice(0, count);
    this.#samples = this.#samples.slice(count);
    const after = this.#samples[0]?.time ?? Math.max(end!, samples.at(-1)!.time + this.#lasted);
    this.waiting = this.#samples.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const bytes = samples.map(each => each.bytes);
    const size = bytes.reduce((sum, { length }) => sum + length, 0);
    const first = samples[0]!;
    const run = {
      count,
      sizes: Uint32Array.from(bytes, ({ length }) => length),
      durations: Uint32Array.from(samples, ({ time }, at) => (samples[at + 1]?.time ?? after) - time),
      compositions: Int32Array.from(samples, ({ composition }) => composition),
      flags: Uint32Array.from(samples, ({ isKey }) => (isKey ? SYNC : DEPENDENT)),
    };
    const { track } = this.description;
    const fields = SAMPLE_DURATION | SAMPLE_SIZE | (this.#isVideo ? SAMPLE_FLAGS | SAMPLE_OFFSET : 0);
    const { syncs } = track;
    const head = segmentHead(
      track,
      { sequence, time: first.time, fields, syncs, samples: count, bytes: size },
      run,
      id,
    );
    return {
      bytes: Buffer.concat([head, ...bytes]),
      begins: first.isKey ? first.time + first.composition : undefined,
    };
  }
}
