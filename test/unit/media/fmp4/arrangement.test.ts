import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FragmentedMp4 } from '../../../../src/media/fmp4/fragmented-mp4.js';
import { arrange, samplesOf, type TimedSample } from '../../../support/arranged.js';
import { arrangedFilms, arrangements, fragmentsOf } from '../../../support/arranged-film.js';
import { makeHead, readFragmented, TIMESCALES } from '../../../support/fmp4.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const format = new FragmentedMp4();
/** Seconds by which tracks may begin apart, and a frame of each. */
const [LEAD, VIDEO_FRAME, AUDIO_FRAME] = [0.25, 0.1, 0.05];

test('whatever the arrangement, a cut has all samples of all tracks from its beginning on, at their times', async () => {
  await fc.assert(
    fc.asyncProperty(
      arrangedFilms,
      arrangements,
      fc.integer({ min: 1, max: 999 }),
      fc.option(fc.integer({ min: 1, max: 6000 }), { nil: undefined }),
      fc.nat(),
      async (made, shape, where, length, seed) => {
        const fragments = fragmentsOf(made, shape.times);
        const [video, audio] = [samplesOf(fragments, 1), samplesOf(fragments, 2)];
        const bytes = arrange(makeHead(audio.length > 0 ? [1, 2] : [1], 0), fragments, shape);
        const start = Math.floor(made.frames.length * where) / 10_000;
        const end = length === undefined ? undefined : start + length / 1000;
        const index = (await format.compile(new MemorySource(bytes)))!;
        assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
        const file = await format.plan(index, mediaObject(new MemorySource(bytes, 'mixed')), { start, end });
        assert.ok(file);
        let random = seed;
        const output = render(file, bytes, () => {
          random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
          return 1 + (random % 3000);
        });
        assert.deepEqual(render(file, bytes), output, 'windows matter');
        const found = readFragmented(output);
        const of = (track: number) =>
          found.samples
            .filter(sample => sample.track === track)
            .map(({ data, time }) => ({ data, time: time! / TIMESCALES[track - 1]! }));
        checkVideo(of(1), video, file.seekActual!, start, end, index.table !== undefined);
        // What is heard goes with what is shown.
        const shown = (sample: Found) => sample.time + made.offset / 1000;
        const picture = of(1);
        const stop = end === undefined ? undefined : shown(picture.at(-1)!) + VIDEO_FRAME;
        checkAudio(of(2), audio, { begin: shown(picture[0]!), end: stop, whole: file.seekActual === 0 });
        const { sidx } = found;
        const sizes = sidx!.references.reduce((sum, { size }) => sum + size, 0);
        assert.equal(sidx!.at + sizes, output.length, 'the index covers the file');
      },
    ),
    { numRuns: 1500, includeErrorInReport: true },
  );
});

interface Found {
  readonly data: string;
  readonly time: number;
}

const bare = ({ data, time }: TimedSample): Found => ({ data, time });

function checkVideo(
  found: readonly Found[],
  video: readonly TimedSample[],
  actual: number,
  start: number,
  end: number | undefined,
  chosen: boolean,
): void {
  const base = video[0]!.shown;
  const first = video.findIndex(({ data }) => data === found[0]?.data);
  assert.ok(first >= 0 && video[first]!.sync, 'begins with a sync sample');
  assert.ok(Math.abs(video[first]!.shown - base - actual) < 1e-9, 'X-Seek-Actual is where it begins');
  assert.ok(actual <= start + 0.001);
  const nearest = video.findLast(({ shown, sync }) => sync && shown - base <= start + 0.001)!;
  if (chosen)
    assert.ok(
      nearest.shown - base <= actual + 1e-9 || nearest.shown - base > start - 1e-9,
      'with the last one before start',
    );
  const rest = video.slice(first);
  assert.deepEqual(found, rest.slice(0, found.length).map(bare), 'picture');
  if (end === undefined) assert.equal(found.length, rest.length);
  else assert.ok(rest.slice(found.length).every(({ shown }) => shown - base >= end - 0.1));
}

function checkAudio(
  found: readonly Found[],
  audio: readonly TimedSample[],
  { begin, end, whole }: { begin: number; end: number | undefined; whole: boolean },
): void {
  const wanted = audio.filter(({ time }) => time >= begin + LEAD && (end === undefined || time < end - LEAD));
  if (found.length === 0) {
    assert.equal(wanted.length, 0, 'there is no sound');
    return;
  }
  const first = audio.findIndex(({ data }) => data === found[0]!.data);
  assert.deepEqual(found, audio.slice(first, first + found.length).map(bare), 'sound');
  assert.ok(first === 0 || audio[first]!.time <= begin + LEAD + 1e-9, 'sound begins with the picture');
  assert.ok(whole || audio[first]!.time >= begin - LEAD - AUDIO_FRAME - 1e-9, 'and not before');
  const last = wanted.at(-1);
  if (last) assert.ok(found.at(-1)!.time >= last.time - 1e-9, 'and goes on as long');
}
