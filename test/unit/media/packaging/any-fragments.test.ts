import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EdgeError } from '../../../../src/base/errors.js';
import type { MediaPackage, PackageTrack } from '../../../../src/media/packaging/media-package.js';
import type { Packager } from '../../../../src/media/packaging/packager.js';
import { type Arrangement, arrange, samplesOf, type TimedSample } from '../../../support/arranged.js';
import { arrangedFilms, arrangements, fragmentsOf } from '../../../support/arranged-film.js';
import { makeHead } from '../../../support/fmp4.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const NON_SYNC = 0x10000;
/** Seconds; none is a time of a sample, so that rounding decides nothing. */
const TARGETS = fc.integer({ min: 100, max: 4000 }).map(ms => ms / 1000 + 0.000_37);
/** Milliseconds that an edit list hides of the pictures. */
const EDITS = fc.constantFrom(0, 0, 80, 300);

/** A film in fragments, and what it is made of. */
interface Made {
  readonly file: Buffer;
  readonly object: ReturnType<typeof mediaObject>;
  readonly packager: Packager;
  /** Numbers of the tracks. */
  readonly kept: readonly number[];
  /** Samples of a track, in the order of decoding. */
  expected(id: number): readonly TimedSample[];
  /** Seconds by which a track's composition times are before its presentation. */
  delay(id: number): number;
}

function make(film: Parameters<typeof fragmentsOf>[0], shape: Arrangement, wanted: number): Made {
  // What mfra says would have to be told with the edit list in mind.
  const edit = shape.times === 'mfra' ? 0 : wanted;
  const fragments = fragmentsOf(film, shape.times);
  const kept = samplesOf(fragments, 2).length > 0 ? [1, 2] : [1];
  const file = arrange(makeHead(kept, edit), fragments, shape);
  return {
    file,
    object: mediaObject(new MemorySource(file, 'mixed')),
    packager: makePackager(),
    kept,
    expected: id => samplesOf(fragments, id),
    delay: id => (id === 1 ? edit / 1000 : 0),
  };
}

/** Holds the samples of a package's track against the film's, from the `from`th on; returns the one after the last. */
async function checkTrack(
  { file, object, packager, expected, delay }: Made,
  pack: MediaPackage,
  track: PackageTrack,
  from: number,
): Promise<number> {
  const { segments, timescale, editMedia } = track;
  const samples = expected(track.id);
  let sample = from;
  for (let row = 0; row < segments.count; row++) {
    const [first, end] = [segments.samples[row]!, segments.samples[row + 1]!];
    assert.equal(first, sample);
    const run = await packager.samples(object, track, first, end);
    let time = segments.times[row]!;
    assert.equal(
      run.sizes.reduce((sum, size) => sum + size, 0),
      segments.bytes[row + 1]! - segments.bytes[row]!,
    );
    for (let i = 0; i < run.count; i++, sample++) {
      const { sync, data, shown } = samples[sample]!;
      const at = run.offsets[i]!;
      assert.equal(file.subarray(at, at + run.sizes[i]!).toString('base64'), data);
      assert.equal((run.flags[i]! & NON_SYNC) === 0, sync);
      assert.ok(i > 0 || sync, 'a segment begins with a sync sample');
      const presented = (time + run.compositions[i]! - editMedia) / timescale + pack.origin + delay(track.id);
      assert.ok(Math.abs(presented - shown) <= 1.5 / timescale, `${presented} ${shown}`);
      time += run.durations[i]!;
    }
    assert.equal(time, segments.times[row + 1]);
  }
  return sample;
}

describe('packages of any arrangement of fragments', () => {
  it('hold every sample once, in order, at its time', async () => {
    await fc.assert(
      fc.asyncProperty(arrangedFilms, arrangements, EDITS, TARGETS, async (film, shape, edit, target) => {
        const made = make(film, shape, edit);
        const pack = await made.packager.package(made.object, { target, shortest: 0.5 });
        assert.deepEqual(
          pack.tracks.map(({ id, kind }) => ({ id, kind })),
          made.kept.map(id => ({ id, kind: id === 1 ? 'video' : 'audio' })),
        );
        for (const track of pack.tracks) {
          const samples = made.expected(track.id);
          // What an edit list hides is there from the key frame on that what is shown needs.
          const first = samples.findLastIndex(({ sync, shown }) => sync && shown <= made.delay(track.id) + 1e-9);
          assert.equal(await checkTrack(made, pack, track, Math.max(0, first)), samples.length);
        }
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('are clips that have all that is presented between two moments, from the key frame before on', async () => {
    await fc.assert(
      fc.asyncProperty(
        arrangedFilms,
        arrangements,
        EDITS,
        TARGETS,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.option(fc.double({ min: 0.01, max: 1, noNaN: true }), { nil: undefined }),
        async (film, shape, edit, target, from, part) => {
          const made = make(film, shape, edit);
          const { packager, object } = made;
          const whole = await packager.package(object, { target, shortest: 0.5 });
          const start = from * whole.duration;
          const end = part === undefined ? undefined : start + part * (whole.duration - start) + 1e-4;
          let clip: MediaPackage;
          try {
            clip = await packager.package(object, { target, shortest: 0.5, start, end });
          } catch (error) {
            // Pictures may end before sound does.
            assert.equal((error as EdgeError).code, 'range_not_satisfiable');
            return;
          }
          const [earliest, latest] = [whole.origin + start, whole.origin + (end ?? whole.duration + 1)];
          for (const track of clip.tracks) {
            const { samples, count } = track.segments;
            const first = samples[0]!;
            assert.equal(await checkTrack(made, clip, track, first), samples[count]);
            const slack = 1.5 / track.timescale + 1e-4;
            const shown = made
              .expected(track.id)
              .map(({ shown: at, sync }) => ({ at: at - made.delay(track.id), sync }));
            const isWithin = (second: number) => second > earliest + slack && second < latest - slack;
            const lost = shown.findIndex(({ at }, i) => isWithin(at) && (i < first || i >= samples[count]!));
            assert.equal(lost, -1, `sample ${lost} of track ${track.id}, shown at ${shown[lost]?.at}`);
            const begins = shown[first]!.at;
            const nearer = shown.findIndex(({ at, sync }) => sync && at > begins + slack && at < earliest - slack);
            // Sound begins with what its decoder needs before.
            if (track.kind === 'video') assert.equal(nearer, -1, `key frame ${nearer} is nearer than ${first}`);
          }
        },
      ),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    );
  });
});
