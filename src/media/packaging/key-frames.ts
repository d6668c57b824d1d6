import { Column } from '../io/column.js';
import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import type { KeyFrames, PackageTrack } from './media-package.js';
import { RunBuffer, type SourceTrack, SYNC } from './source-track.js';

/** Samples looked at at once. */
const BATCH = 8192;
/** Bytes of memory that a key frame takes while all are sought. */
const KEY_FRAME_BYTES = 48;

/** The key frames of a package's track as presented; one a second where all frames are key frames; `yield*` it. */
export function* keyFramesOf(source: MeteredSource, track: SourceTrack, packaged: PackageTrack): Reading<KeyFrames> {
  const { segments, compositionShift, timescale, editMedia } = packaged;
  const [first, end] = [segments.samples[0]!, segments.samples[segments.count]!];
  const least = packaged.syncs === 'all' ? timescale : 1;
  const [samples, times, sizes] = [new Column(), new Column(), new Column()];
  const run = new RunBuffer(BATCH, false);
  let time = segments.times[0]! - editMedia - compositionShift;
  let next = 0;
  for (let at = first; at < end; at += run.count) {
    yield* source.breathe();
    yield* track.read(source, at, Math.min(BATCH, end - at), run, false);
    for (let i = 0; i < run.count; i++) {
      const presented = time + run.compositions[i]!;
      if (run.flags[i] === SYNC && presented >= next) {
        source.keep(KEY_FRAME_BYTES);
        samples.push(at + i);
        times.push(presented);
        sizes.push(run.sizes[i]!);
        next = presented + least;
      }
      time += run.durations[i]!;
    }
  }
  return { samples: samples.whole(), times: times.whole(), sizes: sizes.whole() };
}
