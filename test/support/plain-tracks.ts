import { build } from './mp4/build.js';
import type { ModelEdit, ModelMovie, ModelSample, ModelTrack, TrackForm } from './mp4/model.js';
import { withCodecs } from './mp4/sample-entries.js';

/** Tables by the book, without those that few files have. */
export const FORM: TrackForm = {
  ...{ compositionVersion: 0, cslg: false, sizeBits: 32, sameSize: false, wideOffsets: false, stss: true, ctts: true },
  ...{ sdtp: false, padb: false, sbgp: false, subs: false, auxiliary: 'none', vector: 0, subSamples: false },
  ...{ sameAuxiliary: false, typed: false, subsVersion: 0, cslgVersion: 0, quirk: 'none' },
};

/** A sample: a key frame of 40 ticks, unless told. */
export function sample(fields: Partial<ModelSample>): ModelSample {
  return { delta: 40, offset: 0, sync: true, size: 9, depends: 0, group: 0, parts: [], auxiliary: 0, ...fields };
}

/** A track, of pictures unless told; ticks are milliseconds. */
export function track(samples: readonly ModelSample[], fields: Partial<ModelTrack> = {}): ModelTrack {
  const chunks = Array.from({ length: Math.ceil(samples.length / 10) }, (_, i) =>
    Math.min(10, samples.length - i * 10),
  );
  return {
    ...{ handler: 'vide', timescale: 1000, samples, chunks, descriptions: chunks.map(() => 1), edits: [], form: FORM },
    ...fields,
  };
}

/** Pictures of 40 ms, with a key frame at each of these. */
export function pictures(count: number, keys: (i: number) => boolean, edits: readonly ModelEdit[] = []): ModelTrack {
  const samples = Array.from({ length: count }, (_, i) => sample({ sync: keys(i), size: 5 + (i % 7) }));
  return track(samples, { edits });
}

/** Sound in frames of 20 ms. */
export function sound(count: number, edits: readonly ModelEdit[] = []): ModelTrack {
  const samples = Array.from({ length: count }, () => sample({ delta: 20, size: 3 }));
  return track(samples, { handler: 'soun', edits, form: { ...FORM, stss: false, ctts: false } });
}

/** Text, a second each. */
export function text(count: number): ModelTrack {
  const samples = Array.from({ length: count }, () => sample({ delta: 1000, size: 4 }));
  return track(samples, { handler: 'text', form: { ...FORM, stss: false, ctts: false } });
}

/** The file of a movie of these tracks, numbered from 1, in codecs that players know. */
export function written(tracks: readonly ModelTrack[], movie: ModelMovie['movie'] = 'last'): Uint8Array {
  return withCodecs(build({ timescale: 1000, tracks, movie, order: 'turns', mediaBoxes: 1, wideBoxes: false }));
}

/** A film with other text, as long, in place of some, wherever that stands. */
export function replaced(film: Uint8Array, from: string, to: string): Buffer {
  const bytes = Buffer.from(film);
  let found = 0;
  for (let at = bytes.indexOf(from, 0, 'latin1'); at >= 0; at = bytes.indexOf(from, at + 1, 'latin1'), found++)
    bytes.write(to, at, 'latin1');
  if (found === 0) throw new Error(`there is no ${from}`);
  return bytes;
}
