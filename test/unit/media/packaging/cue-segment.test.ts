/** Cues in MP4: whatever cues there are, segments of them show each for as long as it lasts, without gaps. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { cueInit, cueSegment, type TimedCue } from '../../../../src/media/packaging/cue-segment.js';
import { cuesIn } from '../../../support/streaming/cues.js';

const init = cueInit({ timescale: 1000, language: 'pt-BR', name: 'Texto', end: 40_000, head: 'WEBVTT' });

/** Cues in the order of their starts, which may overlap in any way. */
const cues = fc
  .array(fc.tuple(fc.nat(36_000), fc.integer({ min: 1, max: 20_000 }), fc.string({ maxLength: 20 })), { maxLength: 25 })
  .map(list =>
    list
      .sort(([a], [b]) => a - b)
      .map(([start, lasts, text], i): TimedCue => {
        const settings = i % 3 === 0 ? 'line:0' : '';
        return { source: i, id: `cue ${i}`, start, end: start + lasts, settings, text };
      }),
  );
const borders = fc
  .uniqueArray(fc.integer({ min: 1, max: 39_999 }), { maxLength: 8 })
  .map(inner => [0, ...inner.sort((a, b) => a - b), 40_000]);

it('segments of any cues show each of them when it is to be shown, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(cues, borders, async (all, places) => {
      const shown = new Map<string, number>();
      for (let row = 0; row + 1 < places.length; row++) {
        const [from, to] = [places[row]!, places[row + 1]!];
        const segment = cueSegment(row + 1, all, from, to);
        let at = from;
        for (const { start, end, cues: found } of await cuesIn(Buffer.concat([init, segment]))) {
          const [begin, stop] = [Math.round(start * 1000), Math.round(end * 1000)];
          assert.equal(begin, at, 'samples follow each other');
          assert.ok(stop > begin);
          at = stop;
          const expected = all.filter(cue => cue.start <= begin && cue.end >= stop);
          assert.deepEqual(
            found,
            expected.map(({ id, text }) => ({ id, text })),
          );
          for (const { id } of found) shown.set(id, (shown.get(id) ?? 0) + stop - begin);
        }
        assert.equal(at, to, 'the last one ends with the segment');
      }
      for (const { id, start, end } of all) assert.equal(shown.get(id), Math.min(40_000, end) - start, id);
    }),
    { numRuns: 150, interruptAfterTimeLimit: 10_000 },
  );
});

it('cues that all overlap cost a bounded number of bytes', () => {
  const text = 'x'.repeat(4000);
  const many = Array.from({ length: 5000 }, (_, i) => ({
    ...{ source: i, id: String(i), start: i, end: 30_000 + i, settings: '', text },
  }));
  assert.ok(cueSegment(1, many, 0, 40_000).length < 64 * 1024 * 1024);
});
