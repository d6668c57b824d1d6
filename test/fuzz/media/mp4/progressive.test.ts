/** `node --import tsx test/fuzz/media/mp4/progressive.test.ts 1000000` tries a million inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { reportMovie } from '../../../../src/media/report/progressive-report.js';
import { build } from '../../../support/mp4/build.js';
import { movies } from '../../../support/mp4/model.js';
import { BoundedSource, Dice, inputsWanted, isRefusal, mutate } from '../../../support/mutation.js';
import { mediaObject, render } from '../../../support/virtual.js';
import { fuzzFormat, offsetsOf } from '../seek-formats.js';

const BOXES = [
  'ftyp',
  'moov',
  'mvhd',
  'trak',
  'tkhd',
  'edts',
  'elst',
  'mdia',
  'mdhd',
  'hdlr',
  'minf',
  'dinf',
  'dref',
  'stbl',
  'stsd',
  'mdat',
];
const TABLES = [
  'stts',
  'ctts',
  'cslg',
  'stss',
  'stsc',
  'stsz',
  'stz2',
  'stco',
  'co64',
  'sdtp',
  'padb',
  'sgpd',
  'sbgp',
  'subs',
  'saiz',
  'saio',
  'chpl',
];

const seeds = fc.sample(movies(150), { seed: 5, numRuns: 24 }).map(model => {
  const bytes = build(model);
  const offsets = (types: string[]) => types.flatMap(type => offsetsOf(Buffer.from(bytes), type));
  // The heads of tables and their first entries, more often than other boxes.
  const hot = [...offsets(BOXES).map(at => at - 4), ...offsets(TABLES).flatMap(at => [at - 4, at + 4, at + 8])];
  return { bytes, hot };
});

for (const seek of ['keyframe', 'exact'] as const) {
  test(`changed MP4 files, seek ${seek}`, async () => {
    const outcomes = await fuzzFormat(
      new ProgressiveMp4({ seek, maxMoov: 1 << 20 }),
      reportMovie,
      seeds,
      Math.ceil(inputsWanted(14_000) * 0.35),
    );
    assert.ok(outcomes.planned > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
  });
}

test('changed indexes', async () => {
  const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 20 });
  const indexes = await Promise.all(
    seeds.map(async ({ bytes }) => ({
      bytes,
      encoded: format.encode((await format.compile(new BoundedSource(bytes)))!),
    })),
  );
  const outcomes = { refused: 0, undecoded: 0, planned: 0 };
  const count = Math.ceil(inputsWanted(14_000) * 0.3);
  for (let number = 1; number <= count; number++) {
    const dice = new Dice(number);
    const { bytes, encoded } = dice.pick(indexes);
    const index = format.decode(mutate(dice, encoded, []), bytes.length);
    if (index === undefined) {
      outcomes.undecoded++;
      continue;
    }
    try {
      const start = dice.below(5000) / 1000;
      const end = dice.below(2) === 0 ? undefined : start + 0.5;
      const file = await format.plan(index, mediaObject(new BoundedSource(bytes)), { start, end });
      if (file !== undefined) render(file, bytes);
      outcomes.planned++;
    } catch (error) {
      if (!isRefusal(error))
        throw new Error(`input ${number}: ${error instanceof Error ? error.stack : error}`, { cause: error });
      outcomes.refused++;
    }
  }
  assert.ok(outcomes.undecoded > 0 && outcomes.planned > 0, JSON.stringify(outcomes));
});
