/** `?frame=T` of any film: the key frame at or before T, alone; of hostile files a frame or a refusal, and no more. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import fc from 'fast-check';
import { EDGE_ITSELF } from '../../../../src/base/asker.js';
import { FrameViews } from '../../../../src/view/frame/frame-views.js';
import type { ViewFile } from '../../../../src/view/view.js';
import { lengthOf } from '../../../../src/virtual-file/slice.js';
import { FakeContent, FakeObject, plainPlanner } from '../../../support/fake-content.js';
import { build } from '../../../support/mp4/build.js';
import { type ModelMovie, type ModelTrack, movies, sampleBytes } from '../../../support/mp4/model.js';
import { withCodecs } from '../../../support/mp4/sample-entries.js';
import { Dice, isRefusal, mutate } from '../../../support/mutation.js';
import { bytesOf } from '../../../support/open-spans.js';
import { makePackager } from '../../../support/package-of.js';

const views = new FrameViews({ target: 2, shortest: 0.5 });
const packager = makePackager();
const REQUEST = {
  host: 'h',
  path: '/a.mp4',
  query: '',
  hint: { start: 0, end: 1 },
  asker: EDGE_ITSELF,
  field: () => '',
};

async function frameOf(bytes: Uint8Array, second: string): Promise<ViewFile> {
  const view = views.find({ path: '/a.mp4', parameters: new Map([['frame', second]]) })!;
  const stage = { content: new FakeContent(), planner: plainPlanner, packager };
  return (await view.make(new FakeObject(bytes).open(), REQUEST, stage)) as ViewFile;
}

/** Films with pictures of one codec and no edits but an empty one: what is shown when is what the tables say. */
const films: fc.Arbitrary<ModelMovie> = movies(200)
  .map(movie => ({
    ...movie,
    tracks: movie.tracks
      .filter(({ handler }) => handler === 'vide')
      .slice(0, 1)
      .map(track => ({ ...track, descriptions: track.descriptions.map(() => 1), edits: [] })),
  }))
  .filter(({ tracks }) => tracks.length === 1);

function endOf({ samples }: ModelTrack): number {
  let [decoded, end] = [0, 0];
  for (const { delta, offset } of samples) {
    end = Math.max(end, decoded + offset + delta);
    decoded += delta;
  }
  return end;
}

/** Sync samples, and when each is shown, ticks. */
function keysOf({ samples }: ModelTrack): { number: number; shown: number }[] {
  let decoded = 0;
  return samples.flatMap(({ delta, offset, sync }, number) => {
    const shown = decoded + offset;
    decoded += delta;
    return sync ? [{ number, shown }] : [];
  });
}

it('is the key frame that is shown last of those at or before T, or the first one', async () => {
  await fc.assert(
    fc.asyncProperty(films, fc.double({ min: 0, max: 1, noNaN: true }), async (movie, part) => {
      const [track] = movie.tracks as [ModelTrack];
      const keys = keysOf(track);
      const first = keys[0];
      fc.pre(first !== undefined);
      const last = Math.max(...keys.map(({ shown }) => shown));
      // Between ticks, so that rounding decides nothing.
      const ticks = Math.max(0, Math.floor((last + 1) * part)) + 0.5;
      fc.pre(ticks < endOf(track));
      const file = withCodecs(build(movie));
      const { file: found, fields } = await frameOf(file, (ticks / track.timescale).toFixed(9));
      // The presentation begins with the first picture, or at 0 where that comes later.
      const before = keys.filter(({ shown }) => shown <= ticks);
      const shown = before.length > 0 ? Math.max(...before.map(key => key.shown)) : first!.shown;
      const candidates = before.length > 0 ? before.filter(key => key.shown === shown) : [first!];
      const bytes = await bytesOf(found.spans, file);
      assert.equal(bytes.length, found.size);
      const isOne = candidates.some(({ number }) => {
        const data = sampleBytes(0, number, track.samples[number]!.size);
        return bytes.subarray(bytes.length - data.length).equals(Buffer.from(data));
      });
      assert.ok(isOne, `key frame ${candidates.map(({ number }) => number)} at ${shown}`);
      assert.ok(Math.abs(found.seekActual! - shown / track.timescale) < 1e-3 + 1 / track.timescale);
      assert.ok(fields.some(([name]) => name === 'X-Seek-Actual'));
    }),
    { numRuns: 120, interruptAfterTimeLimit: 15_000 },
  );
});

it('of files that are damaged is a frame within the file, or a refusal', async () => {
  const dice = new Dice(13);
  for (const name of ['bframes-faststart.mp4', 'fragmented.mp4']) {
    const seed = new Uint8Array(await readFile(new URL(`../../../../src/samples/${name}`, import.meta.url)));
    const head = seed.subarray(0, 200_000);
    const hot = ['stts', 'ctts', 'stsz', 'stsc', 'stco', 'stss', 'elst', 'trun', 'tfhd', 'tfdt', 'mdhd', 'mvhd']
      .map(type => Buffer.from(head).indexOf(type))
      .filter(at => at >= 0);
    for (let i = 0; i < 20; i++) {
      const bytes = mutate(dice, seed, hot);
      try {
        const { file } = await frameOf(bytes, String(dice.below(40)));
        assert.equal(lengthOf(file.spans), file.size);
        for (const span of file.spans)
          if (span.kind === 'source') assert.ok(span.offset >= 0 && span.offset + span.length <= bytes.length);
      } catch (error) {
        assert.ok(isRefusal(error), String((error as Error).stack));
      }
    }
  }
});

it('is asked for by a plain number of seconds alone', () => {
  for (const text of ['-1', '1e3', 'NaN', 'Infinity', '', ' 1', '1 ', '0x1', '1,5', '١', '1'.repeat(400), '..', '1;2'])
    assert.equal(views.find({ path: '/a.mp4', parameters: new Map([['frame', text]]) }), undefined, text);
  assert.ok(views.find({ path: '/a.mp4', parameters: new Map([['frame', '0']]) }));
});
