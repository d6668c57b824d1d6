import { Lru } from '../../../base/lru.js';
import { MeteredSource, PLAN_BUDGET } from '../../../media/io/metered-source.js';
import { type Reading, readAll } from '../../../media/io/reading.js';
import type { MediaObject } from '../../../media/seek/media.js';
import type { SubtitleText } from './cue.js';
import { parseSrt } from './srt.js';
import { checkSubtitleSize, linesOf } from './text-file.js';
import { parseWebVtt, shifted } from './webvtt.js';

/** Bytes that a cue takes beside its text, about. */
const CUE_BYTES = 120;
/** Bytes of memory for each of a file while it is read. */
const MEMORY = 8;

/** Files of subtitles beside films, read and kept. */
export class SideCars {
  readonly #texts: Lru<SubtitleText>;

  /** @param memory bytes */
  constructor(memory: number) {
    this.#texts = new Lru(memory);
  }

  /**
   * The cues of a file.
   * @param origin second of the film's own time at which the presentation begins
   * @throws EdgeError (or rejects with one) `unplayable`, `media_too_large`, and whatever the source throws
   */
  *text(object: MediaObject, path: string, origin: number): Reading<SubtitleText> {
    const by = Math.round(origin * 1000);
    const key = `${object.identity} ${by}`;
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const { size } = object.source;
    checkSubtitleSize(size);
    const source = new MeteredSource(object.source, PLAN_BUDGET);
    source.keep(MEMORY * size);
    const lines = linesOf(size === 0 ? new Uint8Array() : yield* readAll(source, 0, size));
    const parsed = yield* /\.srt$/i.test(path) ? parseSrt(lines, source) : parseWebVtt(lines, source);
    const text = shifted(parsed, by);
    this.#texts.set(key, text, 1024 + text.cues.reduce((sum, cue) => sum + CUE_BYTES + cue.text.length, 0));
    return text;
  }
}
