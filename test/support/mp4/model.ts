import fc from 'fast-check';

/** A sample as a test thinks of it. */
export interface ModelSample {
  /** Ticks to the next sample. */
  readonly delta: number;
  /** Composition offset, ticks. */
  readonly offset: number;
  readonly sync: boolean;
  /** Bytes. */
  readonly size: number;
  /** Byte of `sdtp`. */
  readonly depends: number;
  /** Group in `sbgp`. */
  readonly group: number;
  /** Sizes of its sub-samples; none has no entry in `subs`. */
  readonly parts: readonly number[];
  /** Bytes of auxiliary information. */
  readonly auxiliary: number;
}

/** An edit, in movie and media units; `media` -1 is empty. */
export interface ModelEdit {
  readonly duration: number;
  readonly media: number;
}

/** What is wrong with a track's tables, and what players see through. */
const QUIRKS = [
  'none',
  'unused chunks',
  'sync samples past the end',
  'sync samples from 0',
  'times that stop early',
  'offsets that stop early',
  'too many edits said',
  'an empty last run of chunks',
  'a last sample without duration',
  'more sizes than samples',
  'offsets of auxiliary information that lead elsewhere',
] as const;

/** How a track's tables are written. */
export interface TrackForm {
  readonly compositionVersion: 0 | 1;
  readonly cslg: boolean;
  /** Bits of a size: 32 is `stsz`, others `stz2`. */
  readonly sizeBits: 4 | 8 | 16 | 32;
  /** All samples have the first one's size and `stsz` says so. */
  readonly sameSize: boolean;
  readonly wideOffsets: boolean;
  readonly stss: boolean;
  readonly ctts: boolean;
  readonly sdtp: boolean;
  readonly padb: boolean;
  readonly sbgp: boolean;
  readonly subs: boolean;
  /**
   * Auxiliary information: none, one run, a run for each chunk, one run in a `senc` of the movie box that can't be
   * understood, or that of encryption in a `senc` of the sample table or the track, or in its forerunner.
   */
  readonly auxiliary: 'none' | 'run' | 'chunks' | 'movie' | 'senc' | 'senc of the track' | 'uuid';
  /** Bytes of an initialization vector in a `senc`, and whether it tells of sub-samples. */
  readonly vector: 0 | 8 | 16;
  readonly subSamples: boolean;
  /** The auxiliary information of all samples has the first one's size and `saiz` says so. */
  readonly sameAuxiliary: boolean;
  /** Whether boxes that may say of what kind they are do so: `saiz`, `saio`, and `sbgp` of version 1. */
  readonly typed: boolean;
  readonly subsVersion: 0 | 1;
  readonly cslgVersion: 0 | 1;
  readonly quirk: (typeof QUIRKS)[number];
}

/** A track. */
export interface ModelTrack {
  readonly handler: 'vide' | 'soun' | 'text' | 'sbtl' | 'meta' | 'tmcd' | 'hint';
  readonly timescale: number;
  readonly samples: readonly ModelSample[];
  /** Samples of each chunk; they add up to the samples. */
  readonly chunks: readonly number[];
  /** Sample description index of each chunk, from 1. */
  readonly descriptions: readonly number[];
  readonly edits: readonly ModelEdit[];
  readonly form: TrackForm;
}

/** A movie. */
export interface ModelMovie {
  readonly timescale: number;
  readonly tracks: readonly ModelTrack[];
  /** Where the movie box stands. */
  readonly movie: 'first' | 'last' | 'between';
  /** Chunks by turns, track after track, or by turns from the last to the first. */
  readonly order: 'turns' | 'tracks' | 'backwards';
  /** Number of media boxes that the chunks are spread over. */
  readonly mediaBoxes: number;
  readonly wideBoxes: boolean;
}

const bool = fc.boolean();

/** Any movie that a sane writer could have made, within `most` samples a track. */
export function movies(most: number): fc.Arbitrary<ModelMovie> {
  return fc.record({
    timescale: fc.constantFrom(1000, 600, 90000, 12345, 25),
    tracks: fc.array(tracks(most), { minLength: 1, maxLength: 3 }),
    movie: fc.constantFrom('first', 'last', 'between'),
    order: fc.constantFrom('turns', 'turns', 'tracks', 'backwards'),
    mediaBoxes: fc.integer({ min: 1, max: 3 }),
    wideBoxes: bool,
  });
}

function tracks(most: number): fc.Arbitrary<ModelTrack> {
  const form: fc.Arbitrary<TrackForm> = fc.record({
    compositionVersion: fc.constantFrom(0, 1),
    cslg: bool,
    sizeBits: fc.constantFrom(4, 8, 16, 32, 32, 32),
    sameSize: fc.nat(5).map(n => n === 0),
    wideOffsets: bool,
    stss: bool,
    ctts: bool,
    sdtp: bool,
    padb: bool,
    sbgp: bool,
    subs: bool,
    auxiliary: fc.constantFrom('none', 'none', 'run', 'chunks', 'movie', 'senc', 'senc of the track', 'uuid'),
    vector: fc.constantFrom(0, 8, 16),
    subSamples: bool,
    sameAuxiliary: bool,
    typed: bool,
    subsVersion: fc.constantFrom(0, 1),
    cslgVersion: fc.constantFrom(0, 1),
    quirk: fc.constantFrom(...QUIRKS),
  });
  return fc
    .record({
      handler: fc.constantFrom('vide', 'vide', 'vide', 'soun', 'soun', 'soun', 'text', 'sbtl', 'meta', 'tmcd', 'hint'),
      timescale: fc.constantFrom(1000, 30000, 44100, 90000, 25),
      seeds: fc.array(fc.nat(0xffff), { minLength: 1, maxLength: most, size: 'max' }),
      steady: bool,
      long: fc.integer({ min: 1, max: 300 }),
      edit: fc.constantFrom('none', 'start', 'late', 'several', 'zero'),
      form,
    })
    .map(({ seeds, steady, long, edit, form: wished, handler, timescale }) => {
      // Only pictures and sound are reordered or coded by what went before; old sizes of 1 would be taken for PCM.
      const coded = handler === 'vide' || handler === 'soun';
      const shape = !coded ? { ...wished, ctts: false, stss: false } : wished;
      const largest = shape.sizeBits === 32 ? 40 : Math.min(40, 2 ** shape.sizeBits - 1);
      const plain = seeds.map((seed, i): ModelSample => {
        const delta = steady
          ? Math.max(1, timescale >> 4)
          : Math.ceil(timescale / 200) + (seed % Math.max(2, timescale >> 3));
        const size = shape.sameSize ? 3 : 1 + (seed % largest);
        const parts = seed % 5 === 0 ? [seed % 7, seed % 3] : [];
        const sync = !shape.stss || i === 0 || seed % 9 === 0;
        return {
          delta,
          offset: 0,
          sync,
          size,
          depends: seed & 0xff,
          group: (seed >> 6) % 3,
          parts,
          auxiliary: auxiliarySize(shape, shape.sameAuxiliary ? 1 : seed % 4),
        };
      });
      if (shape.quirk === 'a last sample without duration') plain.push({ ...plain.pop()!, delta: 0 });
      const samples = shape.ctts ? reorder(plain, shape.compositionVersion, seeds[0]! % 2 === 0) : plain;
      const chunks: number[] = [];
      for (let left = samples.length, i = 0; left > 0; i++) {
        const count = Math.min(
          left,
          1 + ((seeds[i % seeds.length]! >> 2) % Math.min(long, 9)) * (i % 3 === 0 ? long : 1),
        );
        chunks.push(count);
        left -= count;
      }
      const descriptions = chunks.map((_, i) => 1 + ((seeds[i % seeds.length]! >> 4) & 1));
      return { handler, timescale, samples, chunks, descriptions, edits: [], form: shape, edit };
    })
    .map(({ edit, ...track }) => ({ ...track, edits: editsFor(edit, track.samples, track.timescale) }));
}

/**
 * Composition offsets as encoders make them: within a group of pictures, of three pictures after the first the first
 * decoded is the last presented. Version 0 delays everything so that no offset is negative.
 * @param early whether version 1 presents even sync samples before they are decoded
 */
function reorder(samples: readonly ModelSample[], version: 0 | 1, early: boolean): ModelSample[] {
  const times = [0];
  for (const { delta } of samples) times.push(times[times.length - 1]! + delta);
  const slots = samples.map((_, i) => i);
  for (let i = 0; i + 2 < samples.length; ) {
    const reordered = [i, i + 1, i + 2].every(n => !samples[n]!.sync);
    if (reordered) [slots[i], slots[i + 1], slots[i + 2]] = [i + 2, i, i + 1];
    i += reordered ? 3 : 1;
  }
  const offsets = samples.map((_, i) => times[slots[i]!]! - times[i]!);
  const delay = version === 0 ? Math.max(...offsets.map(offset => -offset), 3) : early ? -3 : 0;
  return samples.map((sample, i) => ({ ...sample, offset: offsets[i]! + delay }));
}

/** Durations are given in seconds × 1000 and scaled by the builder. */
function editsFor(kind: string, samples: readonly ModelSample[], timescale: number): ModelEdit[] {
  const ticks = samples.reduce((sum, { delta }) => sum + delta, 0);
  const seconds = Math.floor((ticks / timescale) * 1000);
  const first = Math.max(0, samples[0]!.offset);
  switch (kind) {
    case 'start':
      return [{ duration: seconds, media: first }];
    case 'late':
      return [
        { duration: 700, media: -1 },
        { duration: seconds, media: first },
      ];
    case 'several': {
      const third = Math.floor(seconds / 3);
      const middle = Math.floor(ticks / 3);
      return [
        { duration: 250, media: -1 },
        { duration: third, media: first },
        { duration: 100, media: -1 },
        { duration: third, media: middle },
      ];
    }
    case 'zero':
      return [{ duration: 0, media: first }];
    default:
      return [];
  }
}

/** The bytes of a sample, which tell it from all others of its movie. */
export function sampleBytes(track: number, sample: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (track * 97 + sample * 31 + (sample >> 8) * 7 + i * 13) & 0xff);
}

/** Whether auxiliary information is that of encryption, and in a box of its own. */
export function isEncrypted({ auxiliary }: TrackForm): boolean {
  return auxiliary === 'senc' || auxiliary === 'senc of the track' || auxiliary === 'uuid';
}

/** Whether entries of `senc` tell of sub-samples, as they must where there is nothing else. */
export function hasSubSamples({ vector, subSamples }: TrackForm): boolean {
  return subSamples || vector === 0;
}

/** Bytes of a sample's auxiliary information; in `senc` with `parts` sub-samples. */
function auxiliarySize(form: TrackForm, parts: number): number {
  if (!isEncrypted(form)) return form.sameAuxiliary ? 3 : parts;
  return form.vector + (hasSubSamples(form) ? 2 + 6 * parts : 0);
}

/** The bytes of a sample's auxiliary information. */
export function auxiliaryBytes(form: TrackForm, track: number, sample: number, size: number): Uint8Array {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (track * 51 + sample * 17 + i * 3 + 128) & 0xff);
  if (isEncrypted(form) && hasSubSamples(form)) bytes.set([0, (size - form.vector - 2) / 6], form.vector);
  return bytes;
}
