import { EdgeError } from '../../base/errors.js';
import type { MeteredSource } from '../io/metered-source.js';
import { type Reading, read, readAll } from '../io/reading.js';
import { Points } from '../seek/points.js';
import { CONFIG_MAX, CONFIGS_MAX, type ConfigTag, NO_TAG, STEP } from './flv-index.js';
import { type ParsedMetadata, parseMetadata } from './metadata.js';
import { AUDIO_TAG, SCRIPT_TAG, TAG_HEADER, VIDEO_TAG } from './tag.js';
import type { TagReader } from './tag-reader.js';

/** Milliseconds between two points of a file without video. */
const AUDIO_STEP = 1000;
/** Nanoseconds that a tag costs whose header was read together with others. */
const TAG_WORK = 300;
/** Script tags among which `onMetaData` is looked for. */
const SCRIPTS_MAX = 8;
/** Most bytes of a script tag that is read. */
const METADATA_MAX = 4 * 1024 * 1024;

/** What a walk over tags has found so far. */
export class Survey {
  metadata: ParsedMetadata | undefined;
  readonly configs: ConfigTag[] = [];
  readonly video = new Points();
  readonly audio = new Points();
  /** Lowest timestamp of the first frames of both kinds, milliseconds; undefined until there is one. */
  base: number | undefined;
  /** Highest timestamp of a frame, milliseconds. */
  last = 0;
  sawVideo = false;
  sawAudio = false;
  #scripts = 0;
  #steps = new Uint16Array(1024).fill(NO_TAG);

  constructor(private readonly source: MeteredSource) {}

  /** Takes in the reader's current tag; false when `read` must do it. */
  take(tag: TagReader): boolean {
    this.source.spend(TAG_WORK);
    this.#markStep(tag.offset);
    const type = tag.type & 0x1f;
    if (type === SCRIPT_TAG) return this.metadata !== undefined;
    const { key, slot } = tag.payload();
    if (slot !== undefined) return false;
    this.#frame(tag, type, key);
    return true;
  }

  /** Takes in a tag whose data tell something; `yield*` it. */
  *read(tag: TagReader): Reading<void> {
    const { slot } = tag.payload();
    if ((tag.type & 0x1f) === SCRIPT_TAG) yield* this.#readMetadata(tag);
    else if (slot !== undefined) yield* this.#readConfig(tag, slot);
  }

  /** See `FlvIndex.steps`; for a walk that ended at `end`. */
  steps(end: number): Uint16Array {
    return this.#steps.slice(0, Math.ceil(end / STEP));
  }

  #frame({ offset, timestamp }: TagReader, type: number, key: boolean): void {
    const first = type === VIDEO_TAG ? !this.sawVideo : !this.sawAudio;
    if (type === VIDEO_TAG) this.sawVideo = true;
    else if (type === AUDIO_TAG) this.sawAudio = true;
    if (first) this.base = Math.min(this.base ?? timestamp, timestamp);
    this.last = Math.max(this.last, timestamp);
    if (!key) return;
    if (type === VIDEO_TAG) this.video.add(offset, timestamp);
    else if (!this.sawVideo && timestamp >= (this.audio.times.at(-1) ?? -AUDIO_STEP) + AUDIO_STEP) {
      this.audio.add(offset, timestamp);
    }
  }

  #markStep(offset: number): void {
    const step = Math.floor(offset / STEP);
    if (step >= this.#steps.length) {
      const grown = new Uint16Array(Math.max(step + 1, this.#steps.length * 2)).fill(NO_TAG);
      grown.set(this.#steps);
      this.#steps = grown;
    }
    if (this.#steps[step] === NO_TAG) this.#steps[step] = offset % STEP;
  }

  *#readMetadata({ offset, dataSize }: TagReader): Reading<void> {
    if (dataSize === 0 || dataSize > METADATA_MAX || ++this.#scripts > SCRIPTS_MAX) return;
    const data = yield* readAll(this.source, offset + TAG_HEADER, dataSize);
    this.metadata = parseMetadata(data, offset + TAG_HEADER);
  }

  *#readConfig({ offset, type, dataSize }: TagReader, slot: string): Reading<void> {
    if (dataSize > CONFIG_MAX) return;
    const data = yield* read(this.source, offset + TAG_HEADER, dataSize);
    const last = this.configs.findLast(config => config.slot === slot);
    if (last && Buffer.compare(last.data, data) === 0) return;
    if (this.configs.length === CONFIGS_MAX) {
      throw new EdgeError('unplayable', `an FLV file with at most ${CONFIGS_MAX} decoder configurations was expected`);
    }
    this.configs.push({ offset, type, slot, data });
  }
}
