import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { arrange, samplesOf } from '../../../support/arranged.js';
import { arrangedFilms, arrangements, fragmentsOf } from '../../../support/arranged-film.js';
import { makeHead } from '../../../support/fmp4.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const NON_SYNC = 0x10000;

it('packages of any arrangement of fragments hold every sample once, in order, at its time', async () => {
  await fc.assert(
    fc.asyncProperty(
      arrangedFilms,
      arrangements,
      fc.constantFrom(0, 0, 80, 300),
      fc.integer({ min: 100, max: 4000 }).map(ms => ms / 1000 + 0.000_37),
      async (made, shape, wanted, target) => {
        // What mfra says would have to be told with the edit list in mind.
        const edit = shape.times === 'mfra' ? 0 : wanted;
        const fragments = fragmentsOf(made, shape.times);
        const kept = samplesOf(fragments, 2).length > 0 ? [1, 2] : [1];
        const file = arrange(makeHead(kept, edit), fragments, shape);
        const object = mediaObject(new MemorySource(file, 'mixed'));
        const edge = makePackager();
        const pack = await edge.package(object, { target, shortest: 0.5 });
        assert.deepEqual(
          pack.tracks.map(({ id, kind }) => ({ id, kind })),
          kept.map(id => ({ id, kind: id === 1 ? 'video' : 'audio' })),
        );
        for (const track of pack.tracks) {
          const expected = samplesOf(fragments, track.id);
          const { segments, timescale, editMedia } = track;
          const delay = track.id === 1 ? edit / 1000 : 0;
          // What an edit list hides is there from the key frame on that what is shown needs.
          let sample = Math.max(
            0,
            expected.findLastIndex(({ sync, shown }) => sync && shown <= delay + 1e-9),
          );
          for (let row = 0; row < segments.count; row++) {
            const [first, end] = [segments.samples[row]!, segments.samples[row + 1]!];
            assert.equal(first, sample);
            const run = await edge.samples(object, track, first, end);
            let time = segments.times[row]!;
            assert.equal(
              run.sizes.reduce((sum, size) => sum + size, 0),
              segments.bytes[row + 1]! - segments.bytes[row]!,
            );
            for (let i = 0; i < run.count; i++, sample++) {
              const { sync, data, shown } = expected[sample]!;
              const at = run.offsets[i]!;
              assert.equal(file.subarray(at, at + run.sizes[i]!).toString('base64'), data);
              assert.equal((run.flags[i]! & NON_SYNC) === 0, sync);
              assert.ok(i > 0 || sync, 'a segment begins with a sync sample');
              const presented = (time + run.compositions[i]! - editMedia) / timescale;
              assert.ok(Math.abs(presented + pack.origin + delay - shown) <= 1.5 / timescale, `${presented} ${shown}`);
              time += run.durations[i]!;
            }
            assert.equal(time, segments.times[row + 1]);
          }
          assert.equal(sample, expected.length);
        }
      },
    ),
    { numRuns: 150, interruptAfterTimeLimit: 20_000 },
  );
});
