import fc from 'fast-check';
import type { Arrangement } from './arranged.js';
import { type TestFragment, type TestRun, TIMESCALES } from './fmp4.js';

/** How a film's fragments may be arranged. */
export const arrangements: fc.Arbitrary<Arrangement> = fc.record({
  data: fc.constantFrom('behind', 'behind', 'before', 'all before', 'all behind'),
  base: fc.constantFrom('absolute', 'moof', 'none'),
  times: fc.constantFrom('none', 'tfdt', 'tfdt', 'tfxd', 'mfra'),
});

/** Films of pictures, and perhaps sound, of a few seconds. */
export const arrangedFilms = fc.record({
  frames: fc.array(fc.record({ sync: fc.boolean(), size: fc.nat(40) }), { minLength: 4, maxLength: 120 }),
  /** Frames of each fragment, over and over. */
  video: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
  audio: fc.array(fc.integer({ min: 1, max: 160 }), { minLength: 1, maxLength: 4 }),
  /** Part of the film that has sound, and seconds at which it begins where fragments tell. */
  sound: fc.constantFrom(0, 0.4, 1, 1, 1),
  silence: fc.constantFrom(0, 0, 1.5),
  order: fc.constantFrom('by time', 'video first', 'audio first', 'audio late', 'together'),
  offset: fc.constantFrom(0, 80),
});

function split(samples: TestRun['samples'], track: number, begin: number, sizes: readonly number[]): TestRun[] {
  const runs: TestRun[] = [];
  let [time, at] = [begin, 0];
  for (let i = 0; at < samples.length; i++) {
    const part = samples.slice(at, at + sizes[i % sizes.length]!);
    runs.push({ track, time, samples: part });
    time += part.reduce((sum, { duration }) => sum + duration, 0);
    at += part.length;
  }
  return runs;
}

type Film = typeof arrangedFilms extends fc.Arbitrary<infer T> ? T : never;

/** The fragments of a film, in the order of the file. */
export function fragmentsOf(made: Film, times: Arrangement['times']): TestFragment[] {
  const video = split(
    made.frames.map(({ sync, size }, i) => ({
      duration: 100,
      compositionOffset: made.offset,
      sync: i === 0 || sync,
      data: Buffer.from(`v${i}${'.'.repeat(size)}`),
    })),
    1,
    0,
    made.video,
  );
  const silence = times === 'none' ? 0 : made.silence;
  const audio = split(
    Array.from({ length: Math.floor(made.frames.length * 2 * made.sound) }, (_, i) => ({
      duration: 400,
      compositionOffset: 0,
      sync: true,
      data: Buffer.from(`a${i}`),
    })),
    2,
    silence * 8000,
    made.audio,
  );
  const seconds = ({ track, time }: TestRun) =>
    time / TIMESCALES[track - 1]! + (made.order === 'audio late' && track === 2 ? 3 : 0);
  if (made.order === 'audio first') return [...audio, ...video].map(run => [run]);
  if (made.order === 'video first') return [...video, ...audio].map(run => [run]);
  if (made.order === 'together') {
    return Array.from({ length: Math.max(video.length, audio.length) }, (_, i) =>
      [video[i], audio[i]].flatMap(run => run ?? []),
    );
  }
  return [...video, ...audio].sort((a, b) => seconds(a) - seconds(b)).map(run => [run]);
}
