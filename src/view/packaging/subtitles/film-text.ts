import { type Reading, read, whenThere } from '../../../media/io/reading.js';
import { fourcc } from '../../../media/mp4/box/box.js';
import type { MediaPackager, PackageTrack } from '../../../media/packaging/media-package.js';
import type { MediaObject } from '../../../media/seek/media.js';
import { type Cue, inOrder, type SubtitleText } from './cue.js';
import { blocksOfEntry, isTextSampleType, sampleCues } from './text-sample.js';
import type { SubtitleWindow } from './webvtt.js';

/** Most bytes of one sample of text, and of all that are read for a segment. */
const SAMPLE_MAX = 64 * 1024;
const WINDOW_MAX = 1024 * 1024;

/** A text track of a film. */
export interface FilmText {
  readonly object: MediaObject;
  readonly track: PackageTrack;
}

/** The cues of a text track that reach into a window: of the samples that lie there, and no others are read. */
export function* filmText(
  { object, track }: FilmText,
  packager: MediaPackager,
  { from, to }: SubtitleWindow,
): Reading<SubtitleText> {
  const { segments, timescale, entry, editMedia } = track;
  const type = fourcc(entry, 4);
  if (!isTextSampleType(type)) return { blocks: [], cues: [] };
  const blocks = blocksOfEntry(entry);
  const inMilliseconds = (ticks: number) => Math.round((ticks * 1000) / timescale);
  const cues: Cue[] = [];
  let left = WINDOW_MAX;
  for (let row = 0; row < segments.count; row++) {
    if (inMilliseconds(segments.begins[row]!) >= to) break;
    if (inMilliseconds(segments.begins[row + 1]!) <= from) continue;
    const first = segments.samples[row]!;
    const run = yield* whenThere(packager.samples(object, track, first, segments.samples[row + 1]!));
    let time = segments.times[row]! - editMedia;
    for (let i = 0; i < run.count; i++) {
      const start = inMilliseconds(time + run.compositions[i]!);
      time += run.durations[i]!;
      const end = inMilliseconds(time + run.compositions[i]!);
      const size = run.sizes[i]!;
      if (end <= from || start >= to || end <= start || size < 3 || size > SAMPLE_MAX) continue;
      left -= size;
      if (left < 0) break;
      const found = sampleCues(type, yield* read(object.source, run.offsets[i]!, size));
      for (const [place, cue] of found.entries()) {
        cues.push({
          id: place === 0 ? `${first + i + 1}` : `${first + i + 1}.${place + 1}`,
          start: Math.max(0, start),
          end,
          ...cue,
        });
      }
    }
  }
  return { blocks, cues: inOrder(cues) };
}
